-- Register a rollout; a second call changes nothing.
insert into rollout (
    rollout_id, chain_id, plan, plan_digest, real_start, programme_start, speed, since, decisions, short_words
)
values ($1, $2, $3, $4, $5, $6, $7, $6, $8, $9)
on conflict do nothing
