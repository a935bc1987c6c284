-- $1 shards there are. Changes that all of them have dealt with; none while one of them has yet to begin.
delete from watch_change
where xid < (
    select min(position) from watch_position where shard < $1::int and shards = $1::int having count(*) = $1
)
