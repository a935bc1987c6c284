-- Claims that one partner makes of another one's request. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format('request %s, of partner %s', r.request_id, r.partner_id) as found,
    format('a request of partner %s', c.partner_id) as expected
from mdf_claim_as_of($1::timestamptz) c
join mdf_request_as_of($1) r using (request_id)
where r.partner_id <> c.partner_id
