-- Requests that one partner makes for another one's allocation. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    format('allocation %s, of partner %s', a.allocation_id, a.partner_id) as found,
    format('an allocation of partner %s', r.partner_id) as expected
from mdf_request_as_of($1::timestamptz) r
join mdf_allocation_as_of($1) a using (allocation_id)
where a.partner_id <> r.partner_id
