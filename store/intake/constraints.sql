-- The rules a table keeps about itself, for judging rows before they are inserted. $1 table name.
-- referred_* are set for foreign keys, expression for checks; deferred self-references may be met by the same import.
select
    con.contype::text as type,
    pg_get_expr(con.conbin, con.conrelid) as expression,
    con.confrelid = con.conrelid as refers_to_itself,
    referred.relname::text as referred_table,
    array(
        select a.attname::text
        from unnest(con.conkey) with ordinality as key (number, place)
        join pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.number
        order by key.place
    ) as columns,
    array(
        select a.attname::text
        from unnest(con.confkey) with ordinality as key (number, place)
        join pg_attribute a on a.attrelid = con.confrelid and a.attnum = key.number
        order by key.place
    ) as referred_columns
from pg_constraint con
left join pg_class referred on referred.oid = con.confrelid
where con.conrelid = $1::text::regclass and con.contype in ('p', 'u', 'c', 'f')
order by con.contype, con.conname
