-- The keys of rollouts as lists show them, the newest first. $1 status, $2 phase, $3 person (lower case), $4 words of id or
-- title with LIKE's signs escaped, $5 only open ones, $6 rollout, $7 the same person as [{issuer, subject}]: NULL for any.
-- $8 at most (NULL: all), $9 after so many, $10 those first that wait for something due, the soonest due first.
select r.rollout_id, r.chain_id
from rollout r
where ($1::text is null or r.status = $1) and ($2::text is null or r.phase = $2)
  and ($3::text is null
       -- By the address; where the plan, or an owner, says who it is that has that address, by that alone.
       or (r.awaits @> array[$3]
           and not exists (select from jsonb_array_elements(r.plan -> 'owners') o
                           where lower(o ->> 'identity') = $3 and o ->> 'subject' is not null
                             and not coalesce(o @> ($7::jsonb -> 0), false))
           and not exists (select from jsonb_array_elements(r.delegations) d
                           where lower(d ->> 'identity') = $3 and d ->> 'subject' is not null
                             and not coalesce(d @> ($7::jsonb -> 0), false)))
       or (r.plan -> 'owners' @> $7::jsonb
           and exists (select from jsonb_array_elements(r.plan -> 'owners') o
                       where o @> ($7::jsonb -> 0) and r.awaits @> array[lower(o ->> 'identity')]))
       or (r.delegations @> $7::jsonb
           and exists (select from jsonb_array_elements(r.delegations) d
                       where d @> ($7::jsonb -> 0) and r.awaits @> array[lower(d ->> 'identity')])))
  and (not $5::boolean or r.open)
  and ($4::text is null or r.rollout_id ilike '%' || $4 || '%' or r.plan ->> 'title' ilike '%' || $4 || '%')
  and ($6::text is null or r.rollout_id = $6)
order by case when $10::boolean
              then (select min((one ->> 'due')::timestamptz) from jsonb_array_elements(r.awaited) one) end nulls last,
         r.opened_at desc, r.rollout_id, r.chain_id
limit $8 offset $9
