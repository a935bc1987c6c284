-- What came in by files, and what was generated: one row for each import, written in the transaction of its facts, so
-- that the ledger can never say something else than the tables. A refused import leaves a row of its own.

create table intake_run (
    run_id        bigint generated always as identity primary key,
    at            timestamptz not null default now(),  -- when it began, by the database's clock
    seconds       numeric(12, 3) not null check (seconds >= 0),
    kind          text not null,                       -- as in `rollouts data import KIND`
    source        text not null,                       -- source system of its facts
    origin        text not null check (origin in ('file', 'generated', 'before the ledger')),
    outcome       text not null check (outcome in ('taken', 'refused')),
    why           text,                                -- why it was refused
    file_name     text,
    file_sha256   text,                                -- of the file as it lies on disk; NULL: it was not read to its end
    mapping_sha256 text,                               -- of the mapping's canonical JSON
    rows_read     bigint not null check (rows_read >= 0),
    rows_skipped  bigint not null default 0,
    rows_rejected bigint not null default 0,
    rows_new      bigint not null default 0,
    rows_changed  bigint not null default 0,
    rows_unchanged bigint not null default 0,
    imported_at   timestamptz not null,                -- when facts became known that say nothing else
    known_from    timestamptz,                         -- from when to when its facts became known
    known_to      timestamptz,
    through_at    timestamptz,                         -- its latest event that is not later than imported_at
    check ((outcome = 'refused') = (why is not null)),
    check (outcome = 'refused'
           or rows_read = rows_skipped + rows_rejected + rows_new + rows_changed + rows_unchanged)
);
create index intake_run_by_source on intake_run (source, kind, run_id desc);

-- Facts that were there before: one row for each kind and source, with how many there are and how far they reach.
do $$
declare
    one record;
begin
    for one in
        select * from (values
            ('partners', 'partner', 'null::timestamptz'),
            ('fx-rates', 'fx_rate', 'month::timestamp at time zone ''UTC'''),
            ('transactions', 'partner_transaction', 'transaction_date::timestamp at time zone ''UTC'''),
            ('costs', 'partner_cost', 'recognised_on::timestamp at time zone ''UTC'''),
            ('rebate-runs', 'rebate_run', 'closed_at'),
            ('opportunities', 'opportunity', 'greatest(registered_at, qualified_at, last_activity_at, closed_at)'),
            ('opportunity-reopenings', 'opportunity_reopening', 'reopened_at'),
            ('leads', 'lead', 'greatest(assigned_at, accepted_at, first_contact_at, reassigned_at, excluded_at)'),
            ('mdf-budgets', 'mdf_budget', 'null::timestamptz'),
            ('mdf-allocations', 'mdf_allocation', 'null::timestamptz'),
            ('mdf-requests', 'mdf_request', 'greatest(submitted_at, decided_at, released_at)'),
            ('mdf-claims', 'mdf_claim', 'greatest(submitted_at, decided_at, paid_at)'),
            ('people', 'person', 'null::timestamptz'),
            ('enablement', 'enablement_assignment', 'greatest(assigned_at, completed_at, waived_at, withdrawn_at)'),
            ('compliance-checks', 'compliance_check', 'null::timestamptz'),
            ('compliance-results', 'compliance_result', 'assessed_at'),
            ('compliance-waivers', 'compliance_waiver', 'revoked_at')
        ) as facts (kind, name, event)
    loop
        execute format(
            $statement$
                insert into intake_run (seconds, kind, source, origin, outcome, rows_read, rows_new, imported_at,
                                        known_from, known_to, through_at)
                select 0, %L, source_system, 'before the ledger', 'taken', count(*), count(*), now(),
                       min(known_at), max(known_at), max(%s) filter (where %2$s <= now())
                from %I group by source_system
            $statement$,
            one.kind, one.event, one.name
        );
    end loop;
end
$$;
