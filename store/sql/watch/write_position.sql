insert into watch_position (shard, position, deadlines_through, shards)
values ($1, $2, $3, $4)
on conflict (shard) do update set position = $2, deadlines_through = $3, shards = $4
