-- A lead's deadlines from a moment on; without one they are put right for the past too.
-- $1 source system, $2 id, $3 accept due, $4 contact due, $5 the moment or NULL.
update lead
set accept_due_at = $3, contact_due_at = $4, amended_at = coalesce($5, amended_at), recorded_at = now()
where source_system = $1 and source_id = $2
