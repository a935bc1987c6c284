-- The calendar of each partner, as known at a moment. $1 partner ids, $2 moment.
select p.partner_id, c.calendar_id
from partner_as_of($2::timestamptz) p
left join business_calendar_as_of($2) c on c.calendar_id = p.calendar_id
where p.partner_id = any ($1::text[])
