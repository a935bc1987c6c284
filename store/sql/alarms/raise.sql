-- One that stands already is not raised again, nor one that stood until somebody had looked into it. $1 rollout, $2 chain,
-- $3 trouble, $4 about, $5 detail, $6 whether it stands until then.
insert into workflow_alarm (rollout_id, chain_id, trouble, about, detail)
values ($1, $2, $3, $4, $5)
on conflict (rollout_id, chain_id, trouble, about) do update
set detail = excluded.detail, raised_at = now(), over_at = null
where workflow_alarm.over_at is not null and not $6::boolean
returning raised_at
