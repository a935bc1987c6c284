-- As of what flows; what is measured here is a state, of which nobody falls silent: any one fact tells the source and a
-- day from which on it tells. Always the same one: the first in the order of :first. :facts are what is looked at;
-- store/quality.py fills both in.
select m.group_no, newest.source_system, count(newest.source_system) as partners,
       max(newest.at)::date as through,
       count(newest.source_system) as heard, 0::bigint as silent, null::text[] as names
from unnest(:members) as m (group_no, partner_id)
left join lateral (
    select f.source_system, f.known_at as at
    from :facts f
    where f.partner_id = m.partner_id and f.known_at <= $4
    order by :first
    limit 1
) as newest on $3::timestamptz is not null and $5::interval is not null
group by m.group_no, newest.source_system
