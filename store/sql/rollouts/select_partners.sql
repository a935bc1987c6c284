-- $1 tiers, $2 regions, $3 types (empty: any), $4 as of. Active partners known then, in order of id.
select partner_id
from partner_as_of($4::timestamptz)
where known_at <= $4
  and (active_from is null or active_from <= $4 at time zone 'UTC')
  and (active_to is null or active_to > $4 at time zone 'UTC')
  and (cardinality($1::text[]) = 0 or tier = any ($1))
  and (cardinality($2::text[]) = 0 or region = any ($2))
  and (cardinality($3::text[]) = 0 or type = any ($3))
order by partner_id
