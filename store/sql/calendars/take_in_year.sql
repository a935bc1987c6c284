-- Stores a year of public holidays unless it is stored already: the first to need it decides, for good.
-- $1 region, $2 year, $3 the library's version, $4 days, $5 their names.
with taken as (
    insert into public_holiday_year (region, year, library_version) values ($1, $2, $3)
    on conflict do nothing
    returning region, year
)
insert into public_holiday (region, year, day, name)
select taken.region, taken.year, day, name
from taken, unnest($4::date[], $5::text[]) as one (day, name)
