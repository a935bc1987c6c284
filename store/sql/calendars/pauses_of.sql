-- Every version of every pause of these leads, with the moments between which it was in force.
-- $1 source systems, $2 lead ids.
with one as (
    select * from unnest($1::text[], $2::text[]) as one (source_system, lead_id)
)
select p.source_system, p.lead_id, p.source_id, p.paused_at, p.resumed_at, p.resumed_known_at, p.reason,
       coalesce(p.amended_at, p.known_at) as stands_since, null::timestamptz as superseded_at
from lead_pause p join one using (source_system, lead_id)
union all
select p.source_system, p.lead_id, p.source_id, p.paused_at, p.resumed_at, p.resumed_known_at, p.reason,
       coalesce(p.amended_at, p.known_at), p.superseded_at
from superseded.lead_pause p join one using (source_system, lead_id)
