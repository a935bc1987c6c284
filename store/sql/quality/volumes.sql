-- How many facts each source told of, period by period back from a day. $1 table, $2 day (exclusive), $3 days of a
-- period, $4 periods. fresh are those known by the end of their own period: the newest period is compared with that.
select source_system, period, sum(facts)::float8 as facts, max(day) as through,
       coalesce(sum(facts) filter (where known_on < $2::date - period * $3::int), 0)::float8 as fresh
from fact_day
cross join lateral (select ($2::date - 1 - day) / $3::int as period) as counted
where facts_of = $1 and day < $2 and day >= $2::date - $3::int * $4::int and known_on < $2
group by source_system, period
having sum(facts) > 0
order by source_system, period
