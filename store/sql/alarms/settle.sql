-- What stood for a rollout and is not found any more is over. $1 rollout, $2 chain; $3, $4 trouble and about of what
-- is found; $5 the troubles that were looked for.
update workflow_alarm
set over_at = now()
where (rollout_id, chain_id) = ($1, $2) and over_at is null and trouble = any ($5::text[])
  and (trouble, about) not in (select * from unnest($3::text[], $4::text[]))
returning trouble
