-- Whether a fact was restated is asked of every change, and most changes amend nothing: a lead that is contacted has a
-- moment of its own for that. Then there is no need to compare what rows said with what they say. The rest is as it was.
create or replace function keep_restated() returns trigger language plpgsql as $$
declare
    changed text;
begin
    if not exists (select from new_rows where amended_at is not null) then
        return null;
    end if;
    -- The columns as they are when it fires: a later migration may add some.
    select string_agg(format('(o.%1$I is not null and o.%1$I is distinct from n.%1$I)', attname), ' or ')
    into changed
    from pg_attribute
    where attrelid = tg_relid and attnum > 0 and not attisdropped
      and attname not in ('source_system', 'source_id', 'known_at', 'recorded_at', 'amended_at', 'last_activity_at');
    execute format(
        $statement$
            insert into fact_restated
                (facts_of, source_system, source_id, partner_id, happened_at, restated_at, said)
            select %L, o.source_system, o.source_id, o.partner_id, coalesce((n.%I)::timestamptz, n.known_at),
                   n.amended_at, to_jsonb(n) || jsonb_strip_nulls(to_jsonb(o))
            from old_rows o
            join new_rows n using (source_system, source_id)
            where n.amended_at > coalesce(o.amended_at, o.known_at) and (%s)
        $statement$,
        tg_table_name, tg_argv[0], changed
    );
    return null;
end
$$;
