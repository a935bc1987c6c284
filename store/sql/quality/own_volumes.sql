-- How many facts the partners of each group had, whatever the source, period by period back from a day: as volumes.sql
-- counts them for a whole source. $1 group numbers, $2 partner ids beside them, $3 day (exclusive), $4 days of a period,
-- $5 periods, $6 as of. :table holds the facts, :at says when they happened, :known when that became known, :which are
-- counted; store/completeness.py fills them in.
with told as (
    select m.group_no, x.:at::date as day, (:known)::date as known_on
    from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
    join :table x using (partner_id)
    where x.:at >= $3::date - $4::int * $5::int and x.:at < $3::date and (:known)::date < $3::date and :which
      and (x.amended_at is null or x.amended_at <= $6)
    union all
    -- What was corrected since, as it stood then; that there is an end to it is said so that few are expected.
    select m.group_no, x.:at::date, (:known)::date
    from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
    join superseded.:table x using (partner_id)
    where x.:at >= $3::date - $4::int * $5::int and x.:at < $3::date and (:known)::date < $3::date and :which
      and (x.amended_at is null or x.amended_at <= $6) and x.superseded_at > $6::timestamptz
      and x.superseded_at <= 'infinity'
)
select group_no, counted.period, count(*)::float8 as facts, max(day) as through,
       count(*) filter (where known_on < $3::date - counted.period * $4::int)::float8 as fresh
from told
cross join lateral (select ($3::date - 1 - day) / $4::int as period) as counted
group by group_no, counted.period
order by group_no, counted.period
