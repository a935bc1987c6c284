-- A template: the rows that events make, written over what is there. $1 moment, $2 source systems, $3 source ids, then
-- a text for each column. What a row says first at a moment became known at that moment; a row that says something
-- else than before is amended, except by a change that was open until now: that has its own moment.
insert into {table} as old (source_system, source_id, {columns}, {known}known_at)
select source_system, source_id, {values}, {known_values}$1
from unnest({arrays}) as new (source_system, source_id, {columns})
order by source_system, source_id
on conflict (source_system, source_id) do update
set {settings}, recorded_at = now(),
    amended_at = case when {only_changes} then old.amended_at
                      else greatest(excluded.known_at, coalesce(old.amended_at, old.known_at) + interval '1 microsecond')
                 end
where ({before}) is distinct from ({after})
