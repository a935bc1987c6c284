-- Partners by name. $1 tier, $2 region, $3 rollout with its newest chain, $4 cohort of it, $5 words of id or name with
-- LIKE's signs escaped: NULL for any. $6 at most, $7 after so many.
select p.partner_id, p.name, p.tier, p.region, c.name as cohort, count(*) over () as total
from partner p
left join (
    select distinct on (f.partner) f.partner, c.name
    from rollout_cohort c, unnest(c.partners) as f (partner)
    where c.rollout_id = $3
      and c.chain_id = (select chain_id from rollout where rollout_id = $3 order by opened_at desc limit 1)
    order by f.partner, c.position
) c on c.partner = p.partner_id
where ($1::text is null or p.tier = $1) and ($2::text is null or p.region = $2)
  and ($3::text is null or c.name is not null) and ($4::text is null or c.name = $4)
  and ($5::text is null or p.partner_id ilike '%' || $5 || '%' or p.name ilike '%' || $5 || '%')
order by p.name, p.partner_id
limit $6 offset $7
