-- One that stands already is not raised again. $1 rollout, $2 chain, $3 trouble, $4 about, $5 detail.
insert into workflow_alarm (rollout_id, chain_id, trouble, about, detail)
values ($1, $2, $3, $4, $5)
on conflict (rollout_id, chain_id, trouble, about) do update
set detail = excluded.detail, raised_at = now(), over_at = null
where workflow_alarm.over_at is not null
returning raised_at
