-- Which years of these regions are stored. $1 regions.
select region, year from public_holiday_year where region = any ($1::text[])
