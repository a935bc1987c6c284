-- Each parameter is a column, side by side. Lists do not fit into lists, so the names of breached come on one line each.
insert into watch_mark (rollout_id, chain_id, evaluated_at, told_at, signature, breached, picture)
select rollout_id, chain_id, evaluated_at, told_at, signature, string_to_array(breached, E'\n'), picture
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::jsonb[])
     as mark (rollout_id, chain_id, evaluated_at, told_at, signature, breached, picture)
on conflict (rollout_id, chain_id) do update
set evaluated_at = excluded.evaluated_at, told_at = excluded.told_at, signature = excluded.signature,
    breached = excluded.breached, picture = excluded.picture
-- A watch that was taken for dead may come to its end after the one that took over has looked again.
where greatest(excluded.evaluated_at, excluded.told_at) >= greatest(watch_mark.evaluated_at, watch_mark.told_at)
