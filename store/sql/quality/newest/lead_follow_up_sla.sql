-- Of each group and source: the partners whose newest lead known came from it, the newest day it tells of, and how many
-- of those were heard of in the window. silent are the ones who were not, though they were in each of the three windows
-- before. $1 group numbers, $2 partner ids beside them, $3 window start, $4 as of, $5 length of a window.
select m.group_no, newest.source_system, count(newest.source_system) as partners,
       max(newest.at)::date as through,
       count(*) filter (where newest.at >= asked.starts) as heard,
       count(*) filter (where silent.here) as silent,
       count(*) filter (where p.active_to <= asked.as_of at time zone 'UTC') as "left",
       (array_agg(m.partner_id order by m.partner_id) filter (where silent.here))[1:5] as names
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
cross join (
    select $3::timestamptz as starts, $4::timestamptz as ends, $4 as as_of, $5::interval as length
) as asked
join partner p using (partner_id)
left join lateral (
    select x.source_system, x.assigned_at as at
    from lead x
    where x.partner_id = m.partner_id and x.known_at <= asked.as_of
      and x.assigned_at >= asked.starts - 3 * asked.length and x.assigned_at < asked.ends
    order by x.assigned_at desc
    limit 1
) as newest on true
cross join lateral (
    select case when newest.at < asked.starts then exists (
        select from lead x
        where x.partner_id = m.partner_id and x.known_at <= asked.as_of
          and x.assigned_at >= asked.starts - asked.length and x.assigned_at < asked.starts
    ) and exists (
        select from lead x
        where x.partner_id = m.partner_id and x.known_at <= asked.as_of
          and x.assigned_at >= asked.starts - 2 * asked.length and x.assigned_at < asked.starts - asked.length
    ) and exists (
        select from lead x
        where x.partner_id = m.partner_id and x.known_at <= asked.as_of
          and x.assigned_at >= asked.starts - 3 * asked.length and x.assigned_at < asked.starts - 2 * asked.length
    ) end as here
) as silent
group by m.group_no, newest.source_system
