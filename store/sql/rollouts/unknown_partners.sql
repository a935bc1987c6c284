-- $1 partner ids; those that no partner has.
select distinct id
from unnest($1::text[]) as id
where not exists (select from partner where partner_id = id)
order by id
