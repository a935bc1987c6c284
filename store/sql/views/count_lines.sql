-- How many there are; parameters as of lines.sql.
select count(*)
from rollout r
where ($1::text is null or r.status = $1) and ($2::text is null or r.phase = $2)
  and ($3::text is null or r.awaits @> array[$3]) and (not $5::boolean or r.open)
  and ($4::text is null or r.rollout_id ilike '%' || $4 || '%' or r.plan ->> 'title' ilike '%' || $4 || '%')
  and ($6::text is null or r.rollout_id = $6)
