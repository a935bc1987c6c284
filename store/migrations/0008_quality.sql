-- What the checks of the data read: how many facts each source tells of each day, and what facts said before.
--
-- Both are kept by triggers in the transaction that writes the facts, statement by statement, so that they can never
-- disagree with them and no writer can forget them.

-- Facts by the day they happened and the day they became known. shard spreads the writers, who would otherwise wait
-- for each other at the row of today; readers add up. amount is the money of the partner's share, where it is money.
create table fact_day (
    facts_of      text not null,
    source_system text not null,
    day           date not null,
    known_on      date not null,
    currency      text not null default '',
    shard         smallint not null,
    facts         bigint not null,
    amount        numeric not null default 0,
    primary key (facts_of, source_system, day, known_on, currency, shard)
);
create index fact_day_by_day on fact_day (facts_of, day);

-- A fact that now says something else than it did. said is the row as it was, with what it did not say yet filled in
-- from what it says now, so that a lead contacted later is no restatement, and one contacted earlier is.
create table fact_restated (
    facts_of      text not null,
    source_system text not null,
    source_id     text not null,
    partner_id    text not null,
    happened_at   timestamptz not null,
    restated_at   timestamptz not null,
    said          jsonb not null,
    recorded_at   timestamptz not null default now()
);
create index fact_restated_by_partner on fact_restated (facts_of, partner_id, restated_at);
create index fact_restated_by_fact on fact_restated (facts_of, source_system, source_id, restated_at);

-- Arguments: day, day it became known, currency, amount, which rows; each an expression over a row.
create function count_fact_days() returns trigger language plpgsql as $$
declare
    rows_of text := concat_ws(
        ' union all ',
        case when tg_op <> 'DELETE' then 'select 1 as sign, * from new_rows' end,
        case when tg_op <> 'INSERT' then 'select -1 as sign, * from old_rows' end
    );
begin
    -- In one order, so that two writers of one shard never wait for each other in a circle.
    execute format(
        $statement$
            insert into fact_day as kept (facts_of, source_system, day, known_on, currency, shard, facts, amount)
            select %L, source_system, (%s)::date, (%s)::date, %s, pg_backend_pid() %% 8, sum(sign), sum(sign * (%s))
            from (%s) as told
            where %s
            group by 2, 3, 4, 5
            having sum(sign) <> 0 or sum(sign * (%5$s)) <> 0
            order by 2, 3, 4, 5
            on conflict (facts_of, source_system, day, known_on, currency, shard) do update
            set facts = kept.facts + excluded.facts, amount = kept.amount + excluded.amount
        $statement$,
        tg_table_name, tg_argv[0], tg_argv[1], tg_argv[2], tg_argv[3], rows_of, tg_argv[4]
    );
    return null;
end
$$;

create function forget_fact_days() returns trigger language plpgsql as $$
begin
    delete from fact_day where facts_of = tg_table_name;
    return null;
end
$$;

-- Argument: when the fact happened.
create function keep_restated() returns trigger language plpgsql as $$
declare
    changed text;
begin
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

do $$
declare
    one record;
    event text;
begin
    for one in
        select * from (values
            ('lead', 'assigned_at', 'known_at', '''''', '0', 'true'),
            ('opportunity', 'closed_at', 'greatest(known_at, closed_at, closed_known_at)', '''''', '0',
             'closed_at is not null'),
            ('partner_transaction', 'transaction_date', 'known_at', 'currency::text', 'net_amount * credit_share',
             'attribution = ''sourced'''),
            ('partner_cost', 'recognised_on', 'known_at', 'currency::text', 'amount * credit_share',
             'attribution = ''sourced'' and kind = ''product'''),
            ('mdf_claim', 'submitted_at', 'known_at', '''''', '0', 'true'),
            ('enablement_assignment', 'assigned_at', 'known_at', '''''', '0', 'true'),
            ('compliance_result', 'assessed_at', 'known_at', '''''', '0', 'true')
        ) as facts (name, day, known, currency, amount, which)
    loop
        foreach event in array array['insert', 'update', 'delete'] loop
            execute format(
                'create trigger %I after %s on %I referencing %s for each statement'
                ' execute function count_fact_days(%L, %L, %L, %L, %L)',
                one.name || '_count_days_' || event, event, one.name,
                concat_ws(' ', case when event <> 'delete' then 'new table as new_rows' end,
                          case when event <> 'insert' then 'old table as old_rows' end),
                one.day, one.known, one.currency, one.amount, one.which
            );
        end loop;
        execute format(
            'create trigger %I after truncate on %I for each statement execute function forget_fact_days()',
            one.name || '_forget_days', one.name
        );
        execute format(
            'create trigger %I after update on %I referencing new table as new_rows old table as old_rows'
            ' for each statement execute function keep_restated(%L)',
            one.name || '_keep_restated', one.name, one.day
        );
        -- What is there already.
        execute format(
            'insert into fact_day (facts_of, source_system, day, known_on, currency, shard, facts, amount)'
            ' select %L, source_system, (%s)::date, (%s)::date, %s, 0, count(*), sum(%s) from %I where %s'
            ' group by 2, 3, 4, 5',
            one.name, one.day, one.known, one.currency, one.amount, one.name, one.which
        );
        -- The table as it would be known, had nothing been said anew in the week before the moment.
        execute format(
            $function$
                create function %1$I(moment timestamptz) returns setof %2$I language sql stable parallel safe as $body$
                    with anew as (
                        select distinct on (source_system, source_id) source_system, source_id, said
                        from fact_restated
                        where facts_of = %2$L and restated_at <= moment and restated_at > moment - interval '7 days'
                        order by source_system, source_id, restated_at
                    )
                    select now_told.* from %3$I(moment) as now_told
                    where (now_told.source_system, now_told.source_id) not in (
                        select source_system, source_id from anew
                    )
                    union all
                    select (jsonb_populate_record(null::%2$I, said || '{"amended_at": null}')).* from anew
                $body$
            $function$,
            one.name || '_as_told', one.name, one.name || '_as_of'
        );
    end loop;
end
$$;
