-- How many facts each source told of, period by period back from a day. $8 table, $9 day (exclusive), $10 days of a
-- period, $11 periods. fresh are those known by the end of their own period: the newest period is compared with that.
-- A day of which every fact was taken back or put elsewhere keeps its row, with none. :days are the days that are
-- read; store/corrections.py fills them in.
select source_system, period, sum(facts)::float8 as facts, max(day) filter (where facts > 0) as through,
       coalesce(sum(facts) filter (where known_on < $9::date - period * $10::int), 0)::float8 as fresh
from (
    select source_system, day, known_on, sum(facts) as facts
    from (:days) as counted
    where facts_of = $8::text and day < $9 and day >= $9::date - $10::int * $11::int and known_on < $9
    group by source_system, day, known_on
) as told
cross join lateral (select ($9::date - 1 - day) / $10::int as period) as counted
group by source_system, period
having sum(facts) > 0
