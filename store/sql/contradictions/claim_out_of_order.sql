-- Claims of which what comes later is dated a day or more before what comes first; less than that are systems of which
-- one writes days and the other moments. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    concat_ws(', ', 'handed in ' || told.submitted_at, 'decided ' || told.decided_at, 'paid ' || told.paid_at) as found,
    'handed in, then decided, then paid' as expected
from mdf_claim_as_of($1::timestamptz) c
cross join lateral (
    select
        case when greatest(c.decided_at, c.decided_known_at) <= $1 then c.decided_at end as decided_at,
        case when greatest(c.paid_at, c.paid_known_at) <= $1 then c.paid_at end as paid_at
) as known
cross join lateral (
    select
        to_char(c.submitted_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as submitted_at,
        to_char(known.decided_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as decided_at,
        to_char(known.paid_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as paid_at
) as told
where least(known.decided_at, known.paid_at) <= c.submitted_at - interval '24 hours'
   or known.paid_at <= known.decided_at - interval '24 hours'
