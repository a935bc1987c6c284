-- The histories of a chain that are kept, the longest of each run, in the order of the chain. $1 rollout, $2 chain.
select * from (
    select distinct on (run_id) run_id, position, last_event, history
    from exported_history
    where (rollout_id, chain_id) = ($1, $2)
    order by run_id, last_event desc, version desc
) kept
order by position, run_id
