-- Names that stand in no table. $1 partners, $2 people, $3 allocations, $4 checks and $5 their versions.
select 'partner_id' as field, n.wanted as name
from unnest($1::text[]) as n (wanted) where not exists (select from partner p where p.partner_id = n.wanted)
union all
select 'person_id', n.wanted
from unnest($2::text[]) as n (wanted) where not exists (select from person p where p.person_id = n.wanted)
union all
select 'allocation_id', n.wanted
from unnest($3::text[]) as n (wanted)
where not exists (select from mdf_allocation a where a.allocation_id = n.wanted)
union all
select 'check_version', n.wanted || ' ' || n.version
from unnest($4::text[], $5::int[]) as n (wanted, version)
where not exists (select from compliance_check k where k.check_id = n.wanted and k.version = n.version)
