-- $1 as of. Which partners are active then, by what a cohort may select them by.
select tier, region, type, count(*) as partners
from partner_as_of($1::timestamptz)
where known_at <= $1
  and (active_from is null or active_from <= $1 at time zone 'UTC')
  and (active_to is null or active_to > $1 at time zone 'UTC')
group by tier, region, type
