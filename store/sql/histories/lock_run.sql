-- One writer at a time for a run. $1 rollout, $2 chain, $3 run.
select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'exported_history', $1::text, $2::text, $3::text), 0))
