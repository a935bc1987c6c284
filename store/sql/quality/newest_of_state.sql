-- As of what flows; what is measured here is a state, of which nobody falls silent: any one fact tells the source and a
-- day from which on it tells. :table holds the facts; store/quality.py fills it in.
select m.group_no, newest.source_system, count(newest.source_system) as partners,
       max(newest.at)::date as through,
       count(newest.source_system) as heard, 0::bigint as silent, null::text[] as names
from unnest(:members) as m (group_no, partner_id)
left join lateral (
    select f.source_system, f.known_at as at
    from :table f
    where f.partner_id = m.partner_id and f.known_at <= $4
    limit 1
) as newest on $3::timestamptz is not null and $5::interval is not null
group by m.group_no, newest.source_system
