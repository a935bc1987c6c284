-- Leads to which something happened before they were assigned, but for those that are taken out. $1 as of.
select
    l.source_system, l.source_id, l.partner_id,
    concat_ws(
        ', ',
        'contacted ' || to_char(early.contacted at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
        'accepted ' || to_char(early.accepted at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
        'turned down ' || to_char(early.rejected at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
        'taken away ' || to_char(early.reassigned at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
    ) as found,
    format('not before %s, when it was assigned', to_char(l.assigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
        as expected
from lead_as_of($1::timestamptz) l
cross join lateral (
    select
        case when l.first_contact_at < l.assigned_at and coalesce(l.first_contact_known_at <= $1, true)
             then l.first_contact_at end as contacted,
        case when l.accepted_at < l.assigned_at and coalesce(l.accepted_known_at <= $1, true)
             then l.accepted_at end as accepted,
        case when l.rejected_at < l.assigned_at and coalesce(l.rejected_known_at <= $1, true)
             then l.rejected_at end as rejected,
        case when l.reassigned_at < l.assigned_at and coalesce(l.reassigned_known_at <= $1, true)
             then l.reassigned_at end as reassigned
) as early
-- Said once more as it is cheapest to ask: of nearly all leads it is not so.
where least(l.first_contact_at, l.accepted_at, l.rejected_at, l.reassigned_at) < l.assigned_at
  and l.assigned_at <= $1
  and coalesce(early.contacted, early.accepted, early.rejected, early.reassigned) is not null
  and coalesce(greatest(l.excluded_at, l.excluded_known_at) > $1, true)
