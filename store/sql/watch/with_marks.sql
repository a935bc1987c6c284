-- Rollouts, each with what the watch saw of it last. $1 rollouts, $2 chains and $3 versions, side by side: of one that is
-- of the version which whoever asks knows, its columns are not written out again. A version is the row that the database
-- has of it: each change makes another one. :columns are those of stored_columns.sql; store/watched.py fills them in.
select asked.rollout_id, asked.chain_id, this.version, stored.*, mark.evaluated_at, mark.told_at, mark.breached, mark.picture
from unnest($1::text[], $2::text[], $3::text[]) as asked (rollout_id, chain_id, version)
join rollout r using (rollout_id, chain_id)
-- Row numbers begin anew where a database is restored; the moment does not.
cross join lateral (select concat_ws(' ', r.ctid, r.xmin, r.updated_at) as version) as this
left join lateral (
    select
:columns
    where this.version is distinct from asked.version
    -- Otherwise all of it is written out first, and asked about afterwards.
    offset 0
) as stored on true
left join watch_mark mark using (rollout_id, chain_id)
