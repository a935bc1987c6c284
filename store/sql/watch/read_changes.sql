-- $1 position: changes of transactions before it are dealt with; $2 transactions at or after it that are dealt with too.
-- What is new, and the oldest transaction still open: whatever it or a later one commits is found by the next reading.
-- Both by one statement, so as of one moment: of two, a transaction that ends in between would be before the oldest one
-- and not among what is new. One row without a change where there is none.
select open.oldest, change.xid, change.facts, change.about, change.horizon
from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest) as open
left join watch_change change on change.xid >= $1::bigint and change.xid <> all ($2::bigint[])
