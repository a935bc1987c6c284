-- What the watch has to look at: every change of a fact, written in the transaction that makes it.
--
-- The journal is what counts; the notification only says that there is something in it. So a notification that is lost
-- costs time, never a change. Nobody waits for the watch and the watch waits for nobody: it reads from the oldest
-- transaction that was still open when it last looked, which may show it a change twice, and never not at all.

create table watch_change (
    xid     bigint not null default pg_current_xact_id()::text::bigint,
    facts   text not null,                              -- table that changed
    about   text,                                       -- partner_id, or rollout_id for rollouts; NULL: all of them
    horizon timestamptz                                 -- when the last part of it is known; later than now where clocks differ
);
create index watch_change_by_xid on watch_change (xid);

-- How far each shard of the watch has come.
create table watch_position (
    shard             integer primary key check (shard >= 0),
    position          bigint not null,                  -- changes of transactions before this one are dealt with
    deadlines_through timestamptz not null              -- real time; deadlines passed until then are dealt with
);

-- The picture a rollout was last told of, verdict by verdict, so that a look at one metric can be compared with it.
alter table watch_mark add column picture jsonb not null default '{}';

create function announce_change() returns trigger language plpgsql as $$
begin
    -- A full queue would make the very commit fail that brings the fact. The journal has it; the watch finds it there.
    if exists (select from announced) and pg_notification_queue_usage() < 0.5 then
        perform pg_notify('watch_change', '');
    end if;
    return null;
end
$$;
create trigger watch_change_announced after insert on watch_change referencing new table as announced
    for each statement execute function announce_change();

-- $1 of the trigger: an expression for whom a row is about; $2: one for when the last part of it is known.
create function journal_facts() returns trigger language plpgsql as $$
declare
    seen text := 'select * from changed';
begin
    -- A row that goes to another partner changes the figures of both.
    if tg_op = 'UPDATE' then
        seen := 'select * from changed union all select * from before';
    end if;
    execute format(
        'insert into watch_change (facts, about, horizon) select %L, %s, max(%s) from (%s) as seen group by 2',
        tg_table_name, tg_argv[0], tg_argv[1], seen
    );
    return null;
end
$$;

do $$
declare
    facts   text;
    about   text;
    horizon text;
begin
    foreach facts in array array[
        'partner', 'fx_rate', 'partner_transaction', 'partner_cost', 'rebate_run', 'opportunity',
        'opportunity_reopening', 'lead', 'mdf_budget', 'mdf_allocation', 'mdf_request', 'mdf_claim', 'person',
        'enablement_course', 'enablement_assignment', 'compliance_check', 'compliance_result', 'compliance_waiver'
    ]
    loop
        select coalesce(max(quote_ident(attname)) filter (where attname = 'partner_id'), 'null::text'),
               'greatest(' || string_agg(quote_ident(attname), ', ')
                   filter (where attname ~ '(^|_)known_at$' or attname = 'amended_at') || ')'
        into about, horizon
        from pg_attribute where attrelid = facts::regclass and attnum > 0 and not attisdropped;
        execute format(
            'create trigger %I after insert on %I referencing new table as changed'
            ' for each statement execute function journal_facts(%L, %L)',
            facts || '_inserted', facts, about, horizon);
        execute format(
            'create trigger %I after update on %I referencing old table as before new table as changed'
            ' for each statement execute function journal_facts(%L, %L)',
            facts || '_updated', facts, about, horizon);
        execute format(
            'create trigger %I after delete on %I referencing old table as changed'
            ' for each statement execute function journal_facts(%L, %L)',
            facts || '_deleted', facts, about, horizon);
    end loop;
end
$$;

-- A rollout that opens, ends, watches other cohorts or counts breaches anew.
create function journal_rollout() returns trigger language plpgsql as $$
begin
    insert into watch_change (facts, about) values ('rollout', new.rollout_id);
    return null;
end
$$;
create trigger rollout_opened after insert on rollout for each row execute function journal_rollout();
create trigger rollout_changed after update on rollout for each row
    when ((old.open, old.watched, old.baselines, old.tolerance_since)
          is distinct from (new.open, new.watched, new.baselines, new.tolerance_since))
    execute function journal_rollout();

-- The next deadline of a partner's open leads.
create index lead_open_deadline on lead (partner_id, contact_due_at)
    where first_contact_at is null and reassigned_at is null and excluded_at is null;
