-- Public holidays of the years that are stored. $1 regions, $2 first year, $3 last year.
select region, day from public_holiday where region = any ($1::text[]) and year between $2 and $3
