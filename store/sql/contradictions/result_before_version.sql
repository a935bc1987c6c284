-- Results made before the version of their check was in force; a day is left for the zone that was written in. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    format('check %s, version %s: assessed %s', r.check_id, r.version, (r.assessed_at at time zone 'UTC')::date) as found,
    format('from %s on, when that came into force', c.effective_from) as expected
from compliance_result_as_of($1::timestamptz) r
join compliance_check_as_of($1) c using (check_id, version)
where r.assessed_at < (c.effective_from - 1)::timestamp at time zone 'UTC'
