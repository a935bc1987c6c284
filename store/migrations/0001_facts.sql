-- Partner facts: what happened, and when it became known.
--
-- Rules every table follows
--   * (source_system, source_id) is the natural key: importing the same row again updates it, never doubles it.
--   * known_at: when the row became known. An as-of read sees only rows with known_at <= as_of. Importing a
--     row again must not move it.
--   * A fact that changes later (contacted, closed, paid, completed, ...) carries an instant for each change,
--     and <change>_known_at beside it for when that change became known. NULL there means "when it happened".
--     An as-of read takes the change as not happened yet unless greatest(<change>_at, <change>_known_at) <= as_of.
--   * Money is numeric(18,4) with its currency; instants are timestamptz; business dates are dates, and a date
--     lies in a window when its midnight UTC does. "until" and "on" dates are inclusive, "end" dates exclusive.

create domain currency_code as char(3) check (value ~ '^[A-Z]{3}$');
-- NaN compares greater than any number, so a plain range check would let it in.
create domain money_amount as numeric(18, 4) check (value <> 'NaN');
create domain month as date check (extract(day from value) = 1);
create domain share as numeric(9, 8) check (value between 0 and 1);

-- The one currency all money is reported in. Rates are kept per target, so changing it needs rates, not edits.
create table reporting_currency (
    singleton boolean primary key default true check (singleton),
    currency  currency_code not null
);
insert into reporting_currency (currency) values ('USD');

create table partner (
    partner_id     text primary key check (partner_id <> ''),
    name           text not null,
    type           text not null default 'reseller',   -- reseller, var, msp, si, distributor, referral, ...
    tier           text,
    region         text,
    country        text,
    time_zone      text not null default 'UTC',
    currency       currency_code,
    parent_id      text references partner (partner_id) deferrable initially deferred,
    account_manager text,
    active_from    date,
    active_to      date,                               -- exclusive: the first day no longer a partner
    source_system  text not null,
    source_id      text not null,
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    unique (source_system, source_id),
    check (active_to > active_from)
);
create index partner_tier_region_type on partner (tier, region, type);

create table fx_rate (
    currency          currency_code not null,
    reporting_currency currency_code not null,
    month             month not null,
    rate              numeric not null check (rate > 0 and rate < 'Infinity'),   -- reporting currency for one unit of currency
    source_system     text not null,
    source_id         text not null,
    known_at          timestamptz not null,
    recorded_at       timestamptz not null default now(),
    primary key (currency, reporting_currency, month),
    unique (source_system, source_id)
);

-- One row per partner credited with a revenue line. Amounts are the whole line's; credit_share says how much of
-- it is this partner's, and the shares of one transaction_id add up to at most 1. Returns and credits are
-- negative and stand on their own date.
create table partner_transaction (
    source_system    text not null,
    source_id        text not null,
    transaction_id   text not null,
    partner_id       text not null references partner (partner_id),
    credit_share     share not null default 1,
    attribution      text not null default 'sourced' check (attribution in ('sourced', 'influenced')),
    kind             text not null check (kind in ('sale', 'return', 'credit')),
    transaction_date date not null,
    list_amount      money_amount,
    discount_amount  money_amount,
    net_amount       money_amount not null,           -- list less discount, before tax
    tax_amount       money_amount,
    currency         currency_code not null,
    original_id      text,                              -- transaction_id that a return or credit belongs to
    known_at         timestamptz not null,
    recorded_at      timestamptz not null default now(),
    primary key (source_system, source_id),
    unique (source_system, transaction_id, partner_id),
    check (case kind when 'sale' then net_amount >= 0 else net_amount <= 0 end)
);
create index partner_transaction_by_partner on partner_transaction (partner_id, transaction_date)
    include (net_amount, credit_share, currency, known_at);
create index partner_transaction_by_date on partner_transaction (transaction_date);

-- Variable cost of selling through a partner. MDF is not a kind here: it is read from paid claims, so that it
-- cannot be counted twice. A cost taken back is a negative amount on its own date.
create table partner_cost (
    source_system  text not null,
    source_id      text not null,
    partner_id     text not null references partner (partner_id),
    transaction_id text,
    credit_share   share not null default 1,
    attribution    text not null default 'sourced' check (attribution in ('sourced', 'influenced')),
    kind           text not null
                   check (kind in ('product', 'freight', 'commission', 'rebate', 'spiff', 'support')),
    amount         money_amount not null,
    currency       currency_code not null,
    recognised_on  date not null,
    earned_period  month,                               -- month that earned it; decides for rebates
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    primary key (source_system, source_id),
    check (kind <> 'rebate' or earned_period is not null)
);
create index partner_cost_by_partner on partner_cost
    (partner_id, (case when kind = 'rebate' then earned_period::date else recognised_on end));
create index partner_cost_product_by_date on partner_cost (recognised_on) where kind = 'product';

-- A month whose rebates are all in. A window over a month without such a row has open accruals.
create table rebate_run (
    source_system text not null,
    source_id     text not null,
    earned_period month primary key,
    closed_at     timestamptz not null,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    unique (source_system, source_id)
);

-- closed_at, outcome and amount are those of the last close; earlier closes of a reopened deal are below.
create table opportunity (
    source_system    text not null,
    source_id        text not null,
    partner_id       text not null references partner (partner_id),
    origin           text not null default 'partner' check (origin in ('partner', 'vendor', 'influenced')),
    registered_at    timestamptz,
    qualified_at     timestamptz,                       -- the sales cycle starts here; NULL: never qualified
    last_activity_at timestamptz,
    closed_at        timestamptz,
    closed_known_at  timestamptz,
    outcome          text check (outcome in ('won', 'lost', 'cancelled', 'duplicate')),
    amount           money_amount,
    currency         currency_code not null,
    known_at         timestamptz not null,
    recorded_at      timestamptz not null default now(),
    primary key (source_system, source_id),
    check ((closed_at is null) = (outcome is null)),
    check (closed_at is not null or closed_known_at is null),
    check (outcome is distinct from 'won' or amount is not null)
);
create index opportunity_by_close on opportunity (partner_id, closed_at)
    include (qualified_at, outcome, amount, currency, known_at, closed_known_at);
create index opportunity_closed on opportunity (closed_at) where closed_at is not null;
create index opportunity_qualified on opportunity (qualified_at) where qualified_at is not null;

create table opportunity_reopening (
    source_system     text not null,
    source_id         text not null,
    opportunity_id    text not null,                    -- source_id of the opportunity, same source system
    closed_at         timestamptz not null,             -- the close that was undone
    closed_known_at   timestamptz,
    outcome           text not null check (outcome in ('won', 'lost', 'cancelled', 'duplicate')),
    amount            money_amount,
    reopened_at       timestamptz not null,
    reopened_known_at timestamptz,
    known_at          timestamptz not null,             -- when the undone close became known
    recorded_at       timestamptz not null default now(),
    primary key (source_system, source_id),
    foreign key (source_system, opportunity_id) references opportunity (source_system, source_id),
    check (reopened_at >= closed_at),
    check (outcome <> 'won' or amount is not null)
);
create index opportunity_reopening_of on opportunity_reopening (source_system, opportunity_id);

-- One row per assignment of a lead to a partner; reassigning makes a new row with its own clock. The deadline is
-- stored when it is assigned, so that a later change of calendar or policy does not rewrite history.
-- first_contact_at is the first attempt by a person; automatic replies do not count.
create table lead (
    source_system          text not null,
    source_id              text not null,
    partner_id             text not null references partner (partner_id),
    class                  text,
    policy_version         text,
    created_at             timestamptz,
    assigned_at            timestamptz not null,
    accept_due_at          timestamptz,
    contact_due_at         timestamptz,                 -- NULL: no SLA
    accepted_at            timestamptz,
    accepted_known_at      timestamptz,
    first_contact_at       timestamptz,
    first_contact_known_at timestamptz,
    reassigned_at          timestamptz,                 -- taken away and given to another partner
    reassigned_known_at    timestamptz,
    excluded_at            timestamptz,
    excluded_known_at      timestamptz,
    excluded_reason        text check (excluded_reason in ('recalled', 'duplicate', 'junk')),
    known_at               timestamptz not null,
    recorded_at            timestamptz not null default now(),
    primary key (source_system, source_id),
    check ((excluded_at is null) = (excluded_reason is null)),
    check (first_contact_at is not null or first_contact_known_at is null),
    check (reassigned_at is not null or reassigned_known_at is null),
    check (excluded_at is not null or excluded_known_at is null)
);
create index lead_by_partner on lead (partner_id, assigned_at)
    include (contact_due_at, first_contact_at, first_contact_known_at, reassigned_at, reassigned_known_at,
             excluded_at, excluded_known_at, excluded_reason, known_at, source_id);
create index lead_assigned on lead (assigned_at) include (known_at);
create index lead_contacted on lead (first_contact_at) include (first_contact_known_at, known_at)
    where first_contact_at is not null;

create table mdf_budget (
    budget_id      text primary key,
    fund_type      text not null default 'discretionary' check (fund_type in ('accrual', 'discretionary')),
    period_start   date not null,
    period_end     date not null,                       -- exclusive: the first day after the fund period
    claim_deadline date,                                -- last day a claim may be submitted
    amount         money_amount not null check (amount >= 0),
    currency       currency_code not null,
    source_system  text not null,
    source_id      text not null,
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    unique (source_system, source_id),
    check (period_end > period_start)
);

create table mdf_allocation (
    allocation_id text primary key,
    budget_id     text not null references mdf_budget (budget_id),
    partner_id    text not null references partner (partner_id),
    amount        money_amount not null check (amount >= 0),
    currency      currency_code not null,
    source_system text not null,
    source_id     text not null,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    unique (source_system, source_id)
);
create index mdf_allocation_by_partner on mdf_allocation (partner_id);

-- An approved request reserves money until a claim settles it, it is released, or nobody claims in time.
create table mdf_request (
    request_id        text primary key,
    allocation_id     text references mdf_allocation (allocation_id),   -- NULL: nothing was allocated for it
    partner_id        text not null references partner (partner_id),
    activity          text,
    requested_amount  money_amount not null check (requested_amount >= 0),
    approved_amount   money_amount check (approved_amount >= 0),      -- what we pay at most, after co-pay
    currency          currency_code not null,
    copay_share       share not null default 0,                         -- share of the cost the partner bears
    submitted_at      timestamptz not null,
    decision          text check (decision in ('approved', 'rejected')),
    decided_at        timestamptz,
    decided_known_at  timestamptz,
    approver          text,
    activity_start    date,
    activity_end      date,
    released_at       timestamptz,                                      -- cancelled or expired: money given back
    released_known_at timestamptz,
    source_system     text not null,
    source_id         text not null,
    known_at          timestamptz not null,
    recorded_at       timestamptz not null default now(),
    unique (source_system, source_id),
    check ((decision is null) = (decided_at is null)),
    check (decision is distinct from 'approved' or approved_amount is not null),
    check (decided_at is not null or decided_known_at is null),
    check (released_at is not null or released_known_at is null)
);
create index mdf_request_by_allocation on mdf_request (allocation_id);
create index mdf_request_by_partner on mdf_request (partner_id, decided_at);

create table mdf_claim (
    source_system    text not null,
    source_id        text not null,
    request_id       text references mdf_request (request_id),          -- NULL: nobody approved it beforehand
    partner_id       text not null references partner (partner_id),
    claimed_amount   money_amount not null check (claimed_amount >= 0),   -- cost shown by the proof, before co-pay
    approved_amount  money_amount check (approved_amount >= 0),
    paid_amount      money_amount check (paid_amount >= 0),
    currency         currency_code not null,
    submitted_at     timestamptz not null,
    decision         text check (decision in ('approved', 'rejected')),
    decided_at       timestamptz,
    decided_known_at timestamptz,
    approver         text,
    late_waived_by   text,                                              -- who let a claim after the deadline pass
    settles_request  boolean not null default true,                     -- false: more claims follow
    paid_at          timestamptz,
    paid_known_at    timestamptz,
    invoice_ref      text,
    proof_ref        text,
    known_at         timestamptz not null,
    recorded_at      timestamptz not null default now(),
    primary key (source_system, source_id),
    check ((decision is null) = (decided_at is null)),
    check ((paid_at is null) = (paid_amount is null)),
    check (decision is distinct from 'approved' or approved_amount is not null),
    check (decided_at is not null or decided_known_at is null),
    check (paid_at is not null or paid_known_at is null)
);
create index mdf_claim_by_request on mdf_claim (request_id);
create index mdf_claim_by_partner on mdf_claim (partner_id, paid_at);
create index mdf_claim_by_invoice on mdf_claim (lower(invoice_ref)) where invoice_ref is not null;

create table person (
    person_id     text primary key,
    partner_id    text references partner (partner_id),
    role          text,
    active_from   date,
    active_to     date,                                 -- exclusive
    source_system text not null,
    source_id     text not null,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    unique (source_system, source_id)
);

-- A person may work for two partners: the assignment counts for the partner it was made for. Recertifying makes a
-- new assignment; the old certificate stays valid until it expires.
create table enablement_assignment (
    source_system      text not null,
    source_id          text not null,
    partner_id         text not null references partner (partner_id),
    person_id          text not null references person (person_id),
    course_id          text not null,
    assigned_at        timestamptz not null,
    due_on             date not null,                   -- last day to complete
    previous_due_on    date,                            -- in force until due_changed_at
    due_changed_at     timestamptz,
    due_changed_known_at timestamptz,
    completed_at       timestamptz,
    completed_known_at timestamptz,
    passed             boolean not null default true,   -- false: the attempt at completed_at failed
    prior_credit       boolean not null default false,
    valid_until        date,                            -- last day the certificate counts; NULL: for good
    waived_by          text,
    waived_at          timestamptz,
    waived_known_at    timestamptz,
    withdrawn_at       timestamptz,
    withdrawn_known_at timestamptz,
    known_at           timestamptz not null,
    recorded_at        timestamptz not null default now(),
    primary key (source_system, source_id),
    check ((previous_due_on is null) = (due_changed_at is null)),
    check ((waived_at is null) = (waived_by is null)),
    check (completed_at is not null or completed_known_at is null),
    check (due_changed_at is not null or due_changed_known_at is null),
    check (waived_at is not null or waived_known_at is null),
    check (withdrawn_at is not null or withdrawn_known_at is null)
);
create index enablement_assignment_by_partner on enablement_assignment (partner_id, person_id, course_id);
create index enablement_assignment_assigned on enablement_assignment (assigned_at);
create index enablement_assignment_completed on enablement_assignment (completed_at)
    where completed_at is not null;

-- A changed weight or severity is a new version; results keep the version they were made under.
create table compliance_check (
    check_id       text not null,
    version        integer not null check (version > 0),
    title          text,
    severity       text not null check (severity in ('critical', 'high', 'moderate', 'low')),
    weight         numeric not null check (weight > 0 and weight <= 1000000),
    critical       boolean not null default false,
    validity_days  integer check (validity_days > 0),   -- used where a result states no valid_until
    grace_days     integer not null default 0 check (grace_days >= 0),
    types          text[],                              -- applies to these partners only; NULL: to all
    tiers          text[],
    regions        text[],
    effective_from date not null,
    retired_on     date,                                -- exclusive: first day it no longer applies
    source_system  text not null,
    source_id      text not null,
    known_at       timestamptz not null,
    recorded_at    timestamptz not null default now(),
    primary key (check_id, version),
    unique (source_system, source_id)
);

create table compliance_result (
    source_system text not null,
    source_id     text not null,
    partner_id    text not null references partner (partner_id),
    check_id      text not null,
    version       integer not null,
    outcome       text not null check (outcome in ('pass', 'fail', 'partial', 'not_applicable', 'inconclusive')),
    value         share,                                -- for partial: how much of the check was met
    assessed_at   timestamptz not null,
    valid_until   date,                                 -- last day it counts
    assessor      text,
    evidence_ref  text,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    primary key (source_system, source_id),
    foreign key (check_id, version) references compliance_check (check_id, version),
    check ((outcome = 'partial') = (value is not null))
);
create index compliance_result_latest on compliance_result (partner_id, check_id, assessed_at desc);
create index compliance_result_assessed on compliance_result (assessed_at);

create table compliance_waiver (
    source_system text not null,
    source_id     text not null,
    partner_id    text not null references partner (partner_id),
    check_id      text not null,
    approved_by   text not null,
    reason        text not null,
    valid_from    date not null,
    valid_until   date not null,                        -- last day it counts; a waiver always ends
    revoked_at    timestamptz,
    revoked_known_at timestamptz,
    known_at      timestamptz not null,
    recorded_at   timestamptz not null default now(),
    primary key (source_system, source_id),
    check (valid_until >= valid_from),
    check (revoked_at is not null or revoked_known_at is null)
);
create index compliance_waiver_by_partner on compliance_waiver (partner_id, check_id);
