-- Waivers of checks that are not known. $1 as of.
select
    w.source_system, w.source_id, w.partner_id,
    format('check %s', w.check_id) as found,
    'a check that is known' as expected
from compliance_waiver_as_of($1::timestamptz) w
where w.check_id not in (select c.check_id from compliance_check_as_of($1) c)
  and coalesce(greatest(w.revoked_at, w.revoked_known_at) > $1, true)
