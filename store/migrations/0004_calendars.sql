-- Business calendars, deadlines of leads reckoned by them, and the kinds of facts that were still missing.

-- Keeping what rows said before, for tables that gain columns and for tables that are new. Call it again after every
-- change of a table's columns: the trigger and the function name all of them. Columns are matched by name, because a
-- column added later stands behind superseded_at there; reaches_back: the first version holds before it was known.
create or replace function keep_superseded() returns trigger language plpgsql as $$
begin
    if new.amended_at > coalesce(old.amended_at, old.known_at) then
        execute format('insert into superseded.%I (%s, superseded_at) select ($1).*, $2', tg_argv[0], tg_argv[1])
            using old, new.amended_at;
    end if;
    return null;
end
$$;

create procedure follow_facts(facts text, reaches_back boolean default false) language plpgsql as $$
declare
    columns text;
    by_key  text;
    one     record;
    first   text := case when reaches_back then '' else 'known_at <= moment and ' end;
begin
    if to_regclass(format('superseded.%I', facts)) is null then
        execute format('alter table %I add column if not exists amended_at timestamptz', facts);
        execute format('create table superseded.%I (like %I, superseded_at timestamptz not null)', facts, facts);
        execute format('create index on superseded.%I (superseded_at)', facts);
        select attname into by_key from pg_attribute where attrelid = facts::regclass and attname = 'partner_id';
        if by_key is not null then
            execute format('create index on superseded.%I (%I, superseded_at)', facts, by_key);
        end if;
    end if;
    for one in
        select a.attname, format_type(a.atttypid, a.atttypmod) as type
        from pg_attribute a
        where a.attrelid = facts::regclass and a.attnum > 0 and not a.attisdropped
          and not exists (select from pg_attribute b
                          where b.attrelid = format('superseded.%I', facts)::regclass and b.attname = a.attname)
        order by a.attnum
    loop
        execute format('alter table superseded.%I add column %I %s', facts, one.attname, one.type);
    end loop;
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
    from pg_attribute where attrelid = facts::regclass and attnum > 0 and not attisdropped;
    execute format(
        'create or replace trigger %I after update on %I for each row execute function keep_superseded(%L, %L)',
        facts || '_keep_superseded', facts, facts, columns
    );
    execute format(
        $function$
            create or replace function %I(moment timestamptz) returns setof %I
            language sql stable parallel safe as $body$
                select %s from %I
                where %s(amended_at is null or amended_at <= moment)
                union all
                select %s from superseded.%I
                where %s(amended_at is null or amended_at <= moment) and superseded_at > moment
            $body$
        $function$,
        facts || '_as_of', facts, columns, facts, first, columns, facts, first
    );
end
$$;

-- When partners work. Hours are texts such as 09:00-12:30, several a day; a day without any is closed. Hours past
-- midnight, 22:00-06:00, belong to the day they open on. public_holidays is a country or a part of it: DE, DE-BY.
create function are_hours(variadic days text[]) returns boolean language sql immutable parallel safe as $$
    select coalesce(bool_and(part ~ '^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'
                             and split_part(part, '-', 1) <> split_part(part, '-', 2)), false)
    from unnest(days) as part
$$;
create table business_calendar (
    calendar_id     text primary key check (calendar_id <> ''),
    name            text,
    time_zone       text not null,
    public_holidays text,
    monday          text[],
    tuesday         text[],
    wednesday       text[],
    thursday        text[],
    friday          text[],
    saturday        text[],
    sunday          text[],
    source_system   text not null,
    source_id       text not null,
    known_at        timestamptz not null,
    recorded_at     timestamptz not null default now(),
    unique (source_system, source_id),
    check (are_hours(variadic coalesce(monday, '{}') || coalesce(tuesday, '{}') || coalesce(wednesday, '{}')
                              || coalesce(thursday, '{}') || coalesce(friday, '{}') || coalesce(saturday, '{}')
                              || coalesce(sunday, '{}')))
);

-- Days on which one calendar is closed, or open in spite of a public holiday.
create table holiday (
    source_system text not null,
    source_id     text not null,
    calendar_id   text not null references business_calendar (calendar_id),
    day           date not null,
    name          text,
    closed        boolean not null default true,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    primary key (source_system, source_id),
    unique (calendar_id, day)
);

-- Public holidays as the library knew them when a year was first needed. They are never taken in again: what a later
-- version of it says about the same year changes no deadline.
create table public_holiday_year (
    region          text not null,                      -- DE, DE-BY
    year            integer not null,
    library_version text not null,
    taken_in_at     timestamptz not null default now(),
    primary key (region, year)
);
create table public_holiday (
    region text not null,
    year   integer not null,
    day    date not null,
    name   text not null,
    primary key (region, day),
    foreign key (region, year) references public_holiday_year (region, year)
);

alter table partner add column calendar_id text references business_calendar (calendar_id);

-- Within how many minutes a lead is to be accepted and contacted. The class * is every class that its version has no
-- row for; a row without minutes gives that class no deadline.
create table lead_policy (
    source_system  text not null,
    source_id      text not null,
    policy_version text not null check (policy_version <> ''),
    class          text not null default '*',
    effective_from date not null,
    accept_within  integer check (accept_within > 0 and accept_within <= 525600),
    accept_counts  text not null default 'business' check (accept_counts in ('business', 'elapsed')),
    contact_within integer check (contact_within > 0 and contact_within <= 525600),
    contact_counts text not null default 'business' check (contact_counts in ('business', 'elapsed')),
    pauses         text[],                              -- states agreed to stop the clock
    pause_limit    integer not null default 4800 check (pause_limit > 0 and pause_limit <= 525600),
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    primary key (source_system, source_id),
    unique (policy_version, class)
);

-- A lead's clock standing still, by a state that its policy agrees to.
create table lead_pause (
    source_system    text not null,
    source_id        text not null,
    lead_id          text not null,                     -- source_id of the lead, same source system
    paused_at        timestamptz not null,
    resumed_at       timestamptz,                       -- NULL: it has not ended
    resumed_known_at timestamptz,
    reason           text not null check (reason <> ''),
    known_at         timestamptz not null,
    recorded_at      timestamptz not null default now(),
    primary key (source_system, source_id),
    foreign key (source_system, lead_id) references lead (source_system, source_id),
    check (resumed_at >= paused_at),
    check (resumed_at is not null or resumed_known_at is null)
);
create index lead_pause_of on lead_pause (source_system, lead_id);

-- What the deadlines of a lead were reckoned from when it was assigned, before any pause; none for a lead whose
-- source gives its deadlines. Kept so that a pause moves them by the terms and the calendar of that time.
create table lead_clock (
    source_system  text not null,
    source_id      text not null,
    partner_id     text not null,
    class          text,
    assigned_at    timestamptz not null,
    policy_version text not null,
    accept_due_at  timestamptz,
    accept_counts  text not null,
    contact_due_at timestamptz,
    contact_counts text not null,
    pauses         text[] not null,
    pause_limit    integer not null,
    calendar_id    text,                                -- NULL: round the clock
    reckoned_at    timestamptz not null,                -- calendars as known then
    primary key (source_system, source_id),
    foreign key (source_system, source_id) references lead (source_system, source_id) on delete cascade
);

-- Time from assignment to first contact of leads whose partner has a calendar, one row per contact that was ever
-- stored, so that a reading as of any moment finds the one of the contact it sees.
create table lead_contact_time (
    source_system    text not null,
    source_id        text not null,
    assigned_at      timestamptz not null,
    first_contact_at timestamptz not null,
    elapsed_minutes  double precision not null,
    business_minutes double precision not null,         -- opening hours, pauses left out
    primary key (source_system, source_id, assigned_at, first_contact_at),
    foreign key (source_system, source_id) references lead (source_system, source_id) on delete cascade
);

-- What happened to a lead, one by one; the lead's own row says what counts.
create table lead_event (
    source_system text not null,
    source_id     text not null,
    lead_id       text not null,
    kind          text not null check (kind in (
                      'assigned', 'accepted', 'rejected', 'attempted', 'contacted', 'auto_reply', 'reassigned',
                      'recalled', 'converted', 'closed')),
    at            timestamptz not null,
    actor         text,
    note          text,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    primary key (source_system, source_id),
    foreign key (source_system, lead_id) references lead (source_system, source_id)
);
create index lead_event_of on lead_event (source_system, lead_id, at);

-- A partner may turn a lead down instead of accepting it.
alter table lead
    add column rejected_at timestamptz,
    add column rejected_known_at timestamptz,
    add column rejected_reason text,
    add check (rejected_at is not null or rejected_known_at is null),
    add check (rejected_at is not null or rejected_reason is null);

-- The way of an opportunity through the stages of its pipeline.
create table opportunity_stage (
    source_system  text not null,
    source_id      text not null,
    opportunity_id text not null,                       -- source_id of the opportunity, same source system
    stage          text not null check (stage <> ''),
    entered_at     timestamptz not null,
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    primary key (source_system, source_id),
    foreign key (source_system, opportunity_id) references opportunity (source_system, source_id)
);
create index opportunity_stage_of on opportunity_stage (source_system, opportunity_id, entered_at);

-- A changed course is a new version.
create table enablement_course (
    course_id      text not null,
    version        integer not null check (version > 0),
    title          text,
    roles          text[],                              -- required for these only; NULL: for all
    tiers          text[],
    weight         numeric not null default 1 check (weight > 0 and weight <= 1000000),
    validity_days  integer check (validity_days > 0),
    effective_from date not null,
    retired_on     date,                                -- exclusive
    source_system  text not null,
    source_id      text not null,
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    primary key (course_id, version),
    unique (source_system, source_id),
    check (retired_on > effective_from)
);
alter table enablement_assignment
    add column course_version integer check (course_version > 0),
    add column score numeric check (score >= 0 and score <= 1000000);

alter table partner_transaction add column recognised_on date, add column deal_id text;

alter table mdf_request
    add column released_reason text check (released_reason in ('cancelled', 'expired', 'withdrawn')),
    add check (released_at is not null or released_reason is null);

-- A partner may take a claim back before it is paid.
alter table mdf_claim
    add column withdrawn_at timestamptz,
    add column withdrawn_known_at timestamptz,
    add check (withdrawn_at is not null or withdrawn_known_at is null),
    add check (withdrawn_at is null or paid_at is null);

do $$
declare
    facts text;
begin
    foreach facts in array array[
        'fx_rate', 'partner_transaction', 'partner_cost', 'rebate_run', 'opportunity', 'opportunity_reopening',
        'lead', 'mdf_budget', 'mdf_allocation', 'mdf_request', 'mdf_claim', 'enablement_assignment',
        'compliance_check', 'compliance_result', 'compliance_waiver',
        'business_calendar', 'holiday', 'lead_policy', 'lead_pause', 'lead_event', 'opportunity_stage',
        'enablement_course'
    ]
    loop
        call follow_facts(facts);
    end loop;
    call follow_facts('partner', reaches_back => true);
    call follow_facts('person', reaches_back => true);
end
$$;
