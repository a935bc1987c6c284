-- Follows the columns of stored_columns.sql: $1 rollouts and $2 chains, side by side.
where (r.rollout_id, r.chain_id) in (select * from unnest($1::text[], $2::text[]))
