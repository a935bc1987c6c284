-- The tables that rollouts and the watch write: the rollout, whatever belongs to one by a foreign key, however far
-- away, and what the watch keeps beside it. Facts belong to no rollout.
with recursive written (id) as (
    select id from unnest(array[to_regclass('rollout'), to_regclass('watch_change'), to_regclass('watch_position')]::oid[])
        as named (id)
    where id is not null
    union
    select k.conrelid from pg_constraint k join written on k.confrelid = written.id where k.contype = 'f'
)
select format('%I.%I', n.nspname, c.relname) as whole, quote_ident(c.relname) as name
from written
join pg_class c on c.oid = written.id
join pg_namespace n on n.oid = c.relnamespace
order by c.relname
