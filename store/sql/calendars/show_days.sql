-- Days of a year that are not as usual: public holidays as they are stored, and the calendar's own.
-- $1 calendar id, $2 region, $3 year.
select day, name, true as closed, true as public
from public_holiday
where region = $2 and year = $3
union all
select day, coalesce(name, ''), closed, false
from holiday
where calendar_id = $1 and extract(year from day) = $3
order by day, public desc
