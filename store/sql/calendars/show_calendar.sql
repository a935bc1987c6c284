-- One calendar as it stands, with how many partners keep it. $1 calendar id.
select
    c.calendar_id, c.name, c.time_zone, c.public_holidays,
    c.monday, c.tuesday, c.wednesday, c.thursday, c.friday, c.saturday, c.sunday,
    (select count(*) from partner p where p.calendar_id = c.calendar_id) as partners
from business_calendar c
where c.calendar_id = $1
