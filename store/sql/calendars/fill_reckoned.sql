-- The staged leads get the deadlines that were reckoned, or that they had.
update intake_staged s
set policy_version = r.policy_version, accept_due_at = r.accept_due_at, contact_due_at = r.contact_due_at
from (
    select line, policy_version, accept_due_at, contact_due_at from lead_reckoned
    union all
    select line, policy_version, accept_due_at, contact_due_at from lead_kept
) as r
where r.line = s.line
