-- As of what flows; what is measured here is a state, of which nobody falls silent: any one fact tells the source and a
-- day from which on it tells. Always the same one: the first in the order of :first. :table holds the facts;
-- store/quality.py fills both in.
with corrected as materialized (
    select partner_id from superseded.:table where superseded_at > $4::timestamptz and superseded_at <= 'infinity'
),
newest as (
    select m.group_no, found.source_system, found.known_at as at
    from unnest(:members) as m (group_no, partner_id)
    left join lateral (
        select f.source_system, f.known_at
        from :table f
        where f.partner_id = m.partner_id and f.known_at <= $4 and (f.amended_at is null or f.amended_at <= $4)
        order by :first
        limit 1
    ) as found on $3::timestamptz is not null and $5::interval is not null
    where m.partner_id not in (select partner_id from corrected)
    union all
    select m.group_no, found.source_system, found.known_at
    from unnest(:members) as m (group_no, partner_id)
    left join lateral (
        select f.source_system, f.known_at
        from :table_as_of($4::timestamptz) f
        where f.partner_id = m.partner_id and f.known_at <= $4
        order by :first
        limit 1
    ) as found on true
    where m.partner_id in (select partner_id from corrected)
)
select group_no, source_system, count(source_system) as partners, max(at)::date as through,
       count(source_system) as heard, 0::bigint as silent, null::text[] as names
from newest
group by group_no, source_system
