-- $1 position: changes of transactions before it are dealt with; $2 transactions at or after it that are dealt with too.
-- What is new, and the oldest transaction still open: whatever it or a later one commits is found by the next reading.
select xid, facts, about, horizon
from watch_change
where xid >= $1::bigint and xid <> all ($2::bigint[])
