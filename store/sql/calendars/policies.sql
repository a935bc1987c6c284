-- Lead policies as known at a moment. $1 moment.
select
    policy_version, nullif(class, '*') as lead_class, effective_from, accept_within, accept_counts, contact_within,
    contact_counts, coalesce(pauses, '{}') as pauses, pause_limit
from lead_policy_as_of($1::timestamptz)
