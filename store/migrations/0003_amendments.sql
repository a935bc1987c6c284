-- Facts that are amended later: what they said before is kept, so that an as-of read sees what was known then.
--
-- Rules every table of facts follows from here on
--   * amended_at: when the row as it stands became known; NULL: it stands as it was first known, at known_at.
--   * superseded.<table> holds what rows said before. Such a version was in force from
--     coalesce(amended_at, known_at) until superseded_at, exclusive. It is kept by a trigger, so that no writer can
--     forget it; whoever amends a row moves amended_at forward. A row changed without moving it is rewritten, for
--     the past too: that is how history that was loaded wrongly is put right.
--   * <table>_as_of(moment) is the table as it was known at a moment. It is inlined where it is used, so that
--     conditions reach the indexes.
-- Partners and people are who they are also before anybody wrote them down: their first version reaches back.

create schema superseded;

create function keep_superseded() returns trigger language plpgsql as $$
begin
    if new.amended_at > coalesce(old.amended_at, old.known_at) then
        execute format('insert into superseded.%I select ($1).*, $2', tg_table_name) using old, new.amended_at;
    end if;
    return null;
end
$$;

do $$
declare
    facts    text;
    columns  text;
    first    text;
    by_key   text;
begin
    foreach facts in array array[
        'partner', 'fx_rate', 'partner_transaction', 'partner_cost', 'rebate_run', 'opportunity',
        'opportunity_reopening', 'lead', 'mdf_budget', 'mdf_allocation', 'mdf_request', 'mdf_claim', 'person',
        'enablement_assignment', 'compliance_check', 'compliance_result', 'compliance_waiver'
    ]
    loop
        execute format('alter table %I add column amended_at timestamptz', facts);
        execute format('create table superseded.%I (like %I, superseded_at timestamptz not null)', facts, facts);
        select string_agg(quote_ident(attname), ', ' order by attnum),
               max(attname) filter (where attname = case facts when 'person' then 'person_id' else 'partner_id' end)
        into columns, by_key
        from pg_attribute where attrelid = facts::regclass and attnum > 0 and not attisdropped;
        execute format('create index on superseded.%I (superseded_at)', facts);
        if by_key is not null then
            execute format('create index on superseded.%I (%I, superseded_at)', facts, by_key);
        end if;
        execute format(
            'create trigger %I after update on %I for each row execute function keep_superseded()',
            facts || '_keep_superseded', facts
        );
        first := case when facts in ('partner', 'person') then '' else 'known_at <= moment and ' end;
        execute format(
            $function$
                create function %I(moment timestamptz) returns setof %I language sql stable parallel safe as $body$
                    select %s from %I
                    where %s(amended_at is null or amended_at <= moment)
                    union all
                    select %s from superseded.%I
                    where %s(amended_at is null or amended_at <= moment) and superseded_at > moment
                $body$
            $function$,
            facts || '_as_of', facts, columns, facts, first, columns, facts, first
        );
    end loop;
end
$$;

-- The indexes that answer by themselves need the new column too.
drop index partner_transaction_by_partner, opportunity_by_close, lead_by_partner;
create index partner_transaction_by_partner on partner_transaction (partner_id, transaction_date)
    include (net_amount, credit_share, currency, known_at, amended_at);
create index opportunity_by_close on opportunity (partner_id, closed_at)
    include (qualified_at, outcome, amount, currency, known_at, closed_known_at, amended_at);
create index lead_by_partner on lead (partner_id, assigned_at)
    include (contact_due_at, first_contact_at, first_contact_known_at, reassigned_at, reassigned_known_at,
             excluded_at, excluded_known_at, excluded_reason, known_at, amended_at, source_id);

-- How far the facts reach is the newest of each of these.
create index mdf_request_submitted on mdf_request (submitted_at);
create index mdf_request_decided on mdf_request (decided_at) where decided_at is not null;
create index mdf_request_released on mdf_request (released_at) where released_at is not null;
create index mdf_claim_submitted on mdf_claim (submitted_at);
create index mdf_claim_decided on mdf_claim (decided_at) where decided_at is not null;
create index mdf_claim_paid on mdf_claim (paid_at) where paid_at is not null;
