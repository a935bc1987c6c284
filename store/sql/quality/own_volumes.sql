-- How many facts the partners of each group had, whatever the source, period by period back from a day: as volumes.sql
-- counts them for a whole source. $1 group numbers, $2 partner ids beside them, $3 day (exclusive), $4 days of a period,
-- $5 periods. :facts are what is counted, :at says when they happened, :known when that became known, :which are counted;
-- store/completeness.py fills them in.
select m.group_no, counted.period, count(*)::float8 as facts, max(x.:at)::date as through,
       count(*) filter (where (:known)::date < $3::date - counted.period * $4::int)::float8 as fresh
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join :facts x using (partner_id)
cross join lateral (select ($3::date - 1 - x.:at::date) / $4::int as period) as counted
where x.:at >= $3::date - $4::int * $5::int and x.:at < $3::date and (:known)::date < $3::date and :which
group by m.group_no, counted.period
order by m.group_no, counted.period
