-- Courses passed a day or more before they were assigned, without being said to be credit for what was learnt before.
-- $1 as of.
select
    a.source_system, a.source_id, a.partner_id,
    format('passed %s', to_char(a.completed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as found,
    format('prior credit, or not before %s, when it was assigned',
           to_char(a.assigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as expected
from enablement_assignment_as_of($1::timestamptz) a
where a.completed_at <= a.assigned_at - interval '24 hours' and coalesce(a.completed_known_at <= $1, true)
  and a.passed and not a.prior_credit
