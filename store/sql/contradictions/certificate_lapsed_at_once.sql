-- Certificates that were over before their course was passed. One that lapses on the day is over the day before; a day more
-- is left for the zone it was written in. $1 as of.
select
    a.source_system, a.source_id, a.partner_id,
    format('valid until %s', a.valid_until) as found,
    format('not before %s, when it was passed', (a.completed_at at time zone 'UTC')::date) as expected
from enablement_assignment_as_of($1::timestamptz) a
where greatest(a.completed_at, a.completed_known_at) <= $1 and a.passed
  and a.valid_until < (a.completed_at at time zone 'UTC')::date - 1
