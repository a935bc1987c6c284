-- Assignments made after the day on which they were due, as completion leaves them out. $1 as of.
select
    a.source_system, a.source_id, a.partner_id,
    format('assigned %s', to_char(a.assigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as found,
    format('by %s, when it was due', due.day) as expected
from enablement_assignment_as_of($1::timestamptz) a
cross join lateral (
    select case when greatest(a.due_changed_at, a.due_changed_known_at) > $1 then a.previous_due_on else a.due_on end as day
) as due
where a.assigned_at >= (due.day + 1)::timestamp at time zone 'UTC'
