-- Of each group and source: the partners whose newest fact known came from it, the newest day it tells of, and how many
-- of those were heard of in the window. silent are the ones who were not, though they were in each of the three windows
-- before. :members are group numbers and partner ids beside them, $3 window start, $4 as of, $5 length of a window.
-- :facts are what is looked at, :at says when they happened, :known when that became known; store/quality.py fills all of
-- them in. Of two that happened at once the source is that of the first name, so that whoever asks again is told the same.
select m.group_no, newest.source_system, count(newest.source_system) as partners,
       max(newest.at)::date as through,
       count(*) filter (where newest.at >= asked.starts) as heard,
       count(*) filter (where silent.here) as silent,
       (array_agg(m.partner_id order by m.partner_id) filter (where silent.here))[1:5] as names
from unnest(:members) as m (group_no, partner_id)
cross join (
    select $3::timestamptz as starts, $4::timestamptz as as_of, $5::interval as length
) as asked
left join lateral (
    select x.source_system, x.:at as at
    from :facts x
    where x.partner_id = m.partner_id and :known <= asked.as_of
      and x.:at >= asked.starts - 3 * asked.length and x.:at < asked.as_of
    order by x.:at desc, x.source_system
    limit 1
) as newest on true
cross join lateral (
    select newest.at < asked.starts and not exists (
        select from generate_series(1, 3) as back
        where not exists (
            select from :facts x
            where x.partner_id = m.partner_id and :known <= asked.as_of
              and x.:at >= asked.starts - back * asked.length and x.:at < asked.starts - (back - 1) * asked.length
        )
    ) as here
) as silent
group by m.group_no, newest.source_system
