-- Requests decided or released a day or more before they were handed in; see claim_out_of_order. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    concat_ws(', ', 'handed in ' || told.submitted_at, 'decided ' || told.decided_at, 'released ' || told.released_at)
        as found,
    'handed in first' as expected
from mdf_request_as_of($1::timestamptz) r
cross join lateral (
    select
        case when greatest(r.decided_at, r.decided_known_at) <= $1 then r.decided_at end as decided_at,
        case when greatest(r.released_at, r.released_known_at) <= $1 then r.released_at end as released_at
) as known
cross join lateral (
    select
        to_char(r.submitted_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as submitted_at,
        to_char(known.decided_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as decided_at,
        to_char(known.released_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as released_at
) as told
where least(known.decided_at, known.released_at) <= r.submitted_at - interval '24 hours'
