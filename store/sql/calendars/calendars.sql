-- Calendars with the days that each closes or opens by itself, as known at a moment. $1 calendar ids, $2 moment.
select
    c.calendar_id, c.time_zone, c.public_holidays,
    c.monday, c.tuesday, c.wednesday, c.thursday, c.friday, c.saturday, c.sunday,
    array(select h.day from holiday_as_of($2::timestamptz) h
          where h.calendar_id = c.calendar_id and h.closed) as closed,
    array(select h.day from holiday_as_of($2) h
          where h.calendar_id = c.calendar_id and not h.closed) as opened
from business_calendar_as_of($2) c
where c.calendar_id = any ($1::text[])
