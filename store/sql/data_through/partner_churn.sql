-- How far the list of partners reaches, as of $1. It says nothing by itself of how current it is, and a quarter in
-- which nobody leaves is no stale one: so the latest row that became new or changed counts, whatever it says.
select max(greatest(known_at, amended_at)) from partner_as_of($1::timestamptz)
where greatest(known_at, amended_at) <= $1
