-- Results that were over before they were made; a day is left for the zone that was written in. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    format('check %s: valid until %s', r.check_id, r.valid_until) as found,
    format('not before %s, when it was assessed', (r.assessed_at at time zone 'UTC')::date) as expected
from compliance_result_as_of($1::timestamptz) r
where r.valid_until < (r.assessed_at at time zone 'UTC')::date - 1
