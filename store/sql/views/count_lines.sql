-- How many there are; parameters as of lines.sql.
select count(*)
from rollout r
where ($1::text is null or r.status = $1) and ($2::text is null or r.phase = $2)
  and ($3::text is null
       -- By the address; where the plan says who the owner of that address is, by that alone.
       or (r.awaits @> array[$3]
           and not exists (select from jsonb_array_elements(r.plan -> 'owners') o
                           where lower(o ->> 'identity') = $3 and o ->> 'subject' is not null
                             and not coalesce(o @> ($7::jsonb -> 0), false)))
       or (r.plan -> 'owners' @> $7::jsonb
           and exists (select from jsonb_array_elements(r.plan -> 'owners') o
                       where o @> ($7::jsonb -> 0) and r.awaits @> array[lower(o ->> 'identity')])))
  and (not $5::boolean or r.open)
  and ($4::text is null or r.rollout_id ilike '%' || $4 || '%' or r.plan ->> 'title' ilike '%' || $4 || '%')
  and ($6::text is null or r.rollout_id = $6)
