-- Where lines of transactions lie that have others beside them. Whether a transaction is credited for more than the whole of
-- it can only be wrong of those, which are few; margin used to ask it of every line of revenue (docs/decisions/0078).
--
-- Kept by triggers in the transaction that writes the lines, so that no writer can forget it. What stands here may be more
-- than is true, and never less: it says where to look, and the lines themselves say what was credited at a moment. So
-- nothing is taken away when a line is corrected or deleted, and what a line said before stands here as well.
create table shared_line (
    partner_id       text not null,
    transaction_date date not null,
    source_system    text not null,
    transaction_id   text not null,
    primary key (partner_id, transaction_date, source_system, transaction_id)
);

-- All that must stand there, from the lines themselves.
create function shared_lines() returns setof shared_line language sql stable as $$
    with version as (
        select source_system, transaction_id, source_id, partner_id, transaction_date from partner_transaction
        union all
        select source_system, transaction_id, source_id, partner_id, transaction_date from superseded.partner_transaction
    ),
    met as (
        select source_system, transaction_id
        from version
        group by source_system, transaction_id
        having min(source_id) <> max(source_id)
    )
    select distinct partner_id, transaction_date, source_system, transaction_id
    from version
    join met using (source_system, transaction_id)
$$;

-- What it looks up, it looks up by the index, line by line, however many lines there are: a plan made of a table that was
-- empty a moment ago would read the whole of it for each.
create function keep_shared_lines() returns trigger language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set jit = off as $$
declare
    fresh text := 'select source_system, transaction_id, source_id, partner_id, transaction_date from new_rows';
    found boolean := true;
begin
    if tg_op = 'UPDATE' then
        fresh := fresh || ' except select source_system, transaction_id, source_id, partner_id, transaction_date from old_rows';
        execute format('select exists (%s)', fresh) into found;
    end if;
    if not found then
        return null;
    end if;
    -- Two who write lines of one transaction at once would not see each other's. The second waits here until the first has
    -- ended, and what it asks from here on sees what the first has written; but not in a transaction that goes on reading
    -- what it saw at its beginning.
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise feature_not_supported using message = 'lines of transactions are written at the isolation level read committed';
    end if;
    execute format(
        'select pg_advisory_xact_lock(hashtext(''shared lines''), hashtext(source_system))'
        ' from (select distinct source_system from (%s) as fresh order by 1) as told', fresh
    );
    execute format(
        $statement$
            with fresh as materialized (%s),
            met as (
                select f.partner_id, f.transaction_date, f.source_system, f.transaction_id,
                       other.partner_id as other_partner, other.transaction_date as other_date
                from fresh f
                join partner_transaction other using (source_system, transaction_id)
                where other.source_id <> f.source_id
                union all
                select f.partner_id, f.transaction_date, f.source_system, f.transaction_id,
                       other.partner_id, other.transaction_date
                from fresh f
                join superseded.partner_transaction other using (source_system, transaction_id)
                where other.source_id <> f.source_id
            )
            insert into shared_line (partner_id, transaction_date, source_system, transaction_id)
            select partner_id, transaction_date, source_system, transaction_id from met
            union
            select other_partner, other_date, source_system, transaction_id from met
            order by 1, 2, 3, 4
            on conflict do nothing
        $statement$,
        fresh
    );
    return null;
end
$$;

create trigger partner_transaction_keep_shared_insert after insert on partner_transaction
    referencing new table as new_rows for each statement execute function keep_shared_lines();
create trigger partner_transaction_keep_shared_update after update on partner_transaction
    referencing new table as new_rows old table as old_rows for each statement execute function keep_shared_lines();

-- What is there already.
insert into shared_line select * from shared_lines();
