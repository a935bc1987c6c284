-- A programme of two years that ends on 2025-12-31: partners of very different size, facts in the order in which they
-- come in. Sizes are the settings scale.partners and scale.facts: so many leads, and as many transactions.
-- A hundredth of leads and transactions has been amended since, a fiftieth is credited to two partners.
select setseed(0.25);

create temporary table size as
select
    current_setting('scale.partners')::int as partners,
    current_setting('scale.facts')::int as facts,
    '2024-01-01Z'::timestamptz as begins,
    interval '730 days' as lasts;

-- A tenth of the partners has a third of what happens.
create function pg_temp.somebody(partners int) returns text language sql volatile as $$
    select 'P' || lpad((1 + floor(random() * random() * partners))::text, 7, '0')
$$;

insert into partner (partner_id, name, type, tier, region, active_from, source_system, source_id, known_at)
select
    'P' || lpad(n::text, 7, '0'), 'Partner ' || n, (array['reseller', 'var', 'msp', 'distributor'])[1 + n % 4],
    (array['silver', 'silver', 'silver', 'gold', 'gold', 'platinum'])[1 + n % 6],
    (array['emea', 'na', 'apac', 'latam'])[1 + n / 4 % 4], '2020-01-01', 'scale', n::text, '2020-01-01Z'
from size, generate_series(1, size.partners) as n;

insert into fx_rate (currency, reporting_currency, month, rate, source_system, source_id, known_at)
select currency, 'USD', month::date, base * (0.97 + 0.06 * random()), 'scale', currency || to_char(month, 'YYYYMM'), month
from (values ('EUR', 1.08), ('GBP', 1.27), ('JPY', 0.0067)) as rate (currency, base),
     generate_series('2024-01-01Z'::timestamptz, '2025-12-01Z', interval '1 month') as month;

insert into rebate_run (source_system, source_id, earned_period, closed_at, known_at)
select 'scale', to_char(month, 'YYYYMM'), month::date, month + interval '40 days', month + interval '40 days'
from generate_series('2024-01-01Z'::timestamptz, '2025-10-01Z', interval '1 month') as month;

insert into lead (source_system, source_id, partner_id, class, created_at, assigned_at, contact_due_at, accepted_at,
                  first_contact_at, first_contact_known_at, reassigned_at, excluded_at, excluded_reason, known_at)
select
    'scale', 'L' || n, pg_temp.somebody(partners), (array['inbound', 'distributed', 'nurture'])[1 + n % 3],
    assigned_at - interval '1 hour', assigned_at,
    case when luck < 0.99 then assigned_at + interval '1 day' end,
    case when delay < 0.95 then assigned_at + delay * interval '8 hours' end,
    case when delay < 0.97 then assigned_at + delay * interval '25 hours' end,
    case when delay < 0.97 then assigned_at + delay * interval '25 hours' + interval '1 hour' end,
    case when luck between 0.5 and 0.51 then assigned_at + interval '30 hours' end,
    case when luck between 0.6 and 0.615 then assigned_at + interval '20 hours' end,
    case when luck between 0.6 and 0.615 then (array['recalled', 'duplicate', 'junk'])[1 + n % 3] end,
    assigned_at + interval '30 minutes'
from (
    select n, partners, begins + lasts * (n::float8 / facts) as assigned_at, random() as delay, random() as luck
    from size, generate_series(1, size.facts) as n
) as one;

insert into partner_transaction (source_system, source_id, transaction_id, partner_id, credit_share, attribution, kind,
                                 transaction_date, list_amount, discount_amount, net_amount, currency, known_at)
select
    'scale', 'T' || n || '-' || half, 'T' || n, pg_temp.somebody(partners), case when shared then 0.5 else 1 end,
    case when luck < 0.97 then 'sourced' else 'influenced' end, case when sold then 'sale' else 'return' end,
    day, amount * 1.2, amount * 0.2, case when sold then amount else -amount end,
    (array['USD', 'USD', 'USD', 'EUR', 'GBP', 'JPY'])[1 + n % 6], day + interval '1 day'
from (
    select
        n, partners, n % 50 = 0 as shared, (begins + lasts * (n::float8 / facts) )::date as day, random() as luck,
        random() >= 0.03 as sold, round((100 + 900 * random())::numeric, 2) as amount
    from size, generate_series(1, size.facts) as n
) as one
cross join lateral generate_series(1, case when shared then 2 else 1 end) as half
on conflict do nothing;

-- What was sold cost two thirds, by the month; a third of the partners earns a rebate.
insert into partner_cost (source_system, source_id, partner_id, kind, amount, currency, recognised_on, earned_period,
                          known_at)
select
    'scale', kind || partner_id || to_char(month, 'YYYYMM'), partner_id, kind, round(revenue * part, 2), 'USD',
    (month + interval '1 month' - interval '1 day')::date, case when kind = 'rebate' then month::date end,
    month + interval '32 days'
from (
    select partner_id, date_trunc('month', transaction_date) as month, sum(net_amount * credit_share) as revenue
    from partner_transaction
    where attribution = 'sourced' and currency <> 'JPY'
    group by partner_id, date_trunc('month', transaction_date)
) as sold
join (values ('product', 0.66), ('rebate', 0.04)) as cost (kind, part)
    on kind = 'product' or right(partner_id, 2)::int % 3 = 0;

insert into opportunity (source_system, source_id, partner_id, origin, registered_at, qualified_at, last_activity_at,
                         closed_at, outcome, amount, currency, known_at)
select
    'scale', 'O' || n, pg_temp.somebody(partners), case when luck < 0.95 then 'partner' else 'influenced' end,
    registered, case when luck > 0.04 then registered + interval '3 days' end, registered + took / 2,
    case when ended then registered + took end,
    case when ended then (array['won', 'won', 'lost', 'lost', 'lost', 'cancelled'])[1 + n % 6] end,
    round((1000 + 20000 * random())::numeric, 2), (array['USD', 'USD', 'EUR', 'GBP'])[1 + n % 4], registered
from (
    select *, registered + took < '2025-12-31Z' and random() < 0.9 as ended
    from (
        select n, partners, begins + lasts * (n * 10.0 / facts) as registered, random() as luck,
               (8 + 110 * random() * random()) * interval '1 day' as took
        from size, generate_series(1, size.facts / 10) as n
    ) as started
) as one;

insert into opportunity_reopening (source_system, source_id, opportunity_id, closed_at, outcome, amount, reopened_at,
                                   known_at)
select 'scale', 'R' || source_id, source_id, closed_at - interval '9 days', 'lost', amount, closed_at - interval '6 days',
       closed_at - interval '9 days'
from opportunity
where outcome = 'won' and hashtext(source_id) % 50 = 0;

insert into mdf_budget (budget_id, period_start, period_end, claim_deadline, amount, currency, source_system, source_id,
                        known_at)
select to_char(quarter, '"B"YYYY-Q'), quarter, quarter + interval '3 months', quarter + interval '5 months', 100000000,
       'USD', 'scale', to_char(quarter, '"B"YYYY-Q'), quarter
from generate_series('2024-01-01Z'::timestamptz, '2025-10-01Z', interval '3 months') as quarter;

insert into mdf_allocation (allocation_id, budget_id, partner_id, amount, currency, source_system, source_id, known_at)
select budget_id || '/' || partner_id, budget_id, partner_id, 1000 + 5000 * random(), 'USD', 'scale',
       budget_id || '/' || partner_id, period_start
from mdf_budget, partner
where right(partner_id, 2)::int % 4 = 0;

insert into mdf_request (request_id, allocation_id, partner_id, requested_amount, approved_amount, currency, copay_share,
                         submitted_at, decision, decided_at, source_system, source_id, known_at)
select
    request_id, allocation_id, partner_id, amount / 3, amount / 3, currency, 0.5, submitted, decision,
    case when decision is not null then submitted + interval '4 days' end, 'scale', request_id, submitted
from (
    select
        *, period_start::timestamptz + luck * interval '80 days' as submitted,
        case when fate < 0.9 then 'approved' when fate < 0.95 then 'rejected' end as decision
    from (
        select
            a.*, b.period_start, 'Q' || n || '/' || a.allocation_id as request_id, random() as luck, random() as fate,
            random() < facts::float8 / (100 * partners) as asked
        from size, mdf_allocation a
        join mdf_budget b using (budget_id)
        cross join generate_series(1, 2) as n
    ) as drawn
    where asked
) as one
where submitted < '2025-12-31Z';

insert into mdf_claim (source_system, source_id, request_id, partner_id, claimed_amount, approved_amount, paid_amount,
                       currency, submitted_at, decision, decided_at, paid_at, invoice_ref, known_at)
select
    'scale', 'C' || request_id, request_id, partner_id, approved_amount * 2, approved_amount,
    case when luck < 0.8 then approved_amount end, currency, claimed,
    case when luck < 0.9 then 'approved' end, case when luck < 0.9 then claimed + interval '5 days' end,
    case when luck < 0.8 then claimed + interval '20 days' end,
    'INV-' || case when luck < 0.01 then 'twice' || left(request_id, 9) else request_id end, claimed
from (
    select *, decided_at + random() * interval '60 days' as claimed, random() as luck
    from mdf_request
    where decision = 'approved'
) as one
where claimed < '2025-12-31Z';

insert into person (person_id, partner_id, active_from, active_to, source_system, source_id, known_at)
select partner_id || '-' || n, partner_id, '2020-01-01',
       case when random() < 0.05 then '2025-06-01'::date end, 'scale', partner_id || '-' || n, '2020-01-01Z'
from partner, generate_series(1, 2) as n;

insert into enablement_assignment (source_system, source_id, partner_id, person_id, course_id, assigned_at, due_on,
                                   completed_at, passed, valid_until, waived_by, waived_at, known_at)
select
    'scale', 'E' || n, partner_id, person_id, 'course-' || n % 12, assigned, assigned::date + 45,
    case when luck < 0.85 then assigned + took end, luck < 0.8,
    case when luck < 0.4 then assigned::date + 365 end,
    case when luck > 0.98 then 'somebody' end, case when luck > 0.98 then assigned + interval '9 days' end, assigned
from (
    select n, pg_temp.somebody(partners) as partner_id, begins + lasts * (n * 10.0 / facts) as assigned,
           random() as luck, random() * interval '55 days' as took
    from size, generate_series(1, size.facts / 10) as n
) as one
cross join lateral (select partner_id || '-' || 1 + n % 2 as person_id) as who;

insert into compliance_check (check_id, version, severity, weight, critical, validity_days, grace_days, tiers,
                              effective_from, source_system, source_id, known_at)
select 'check-' || n, 1, 'high', 1 + n % 3, n % 6 = 0, 400, 14,
       case when n % 4 = 0 then array['gold', 'platinum'] end, '2023-01-01', 'scale', n::text, '2023-01-01Z'
from generate_series(1, 12) as n;

-- Every check twice in the two years, and one in ten again.
insert into compliance_result (source_system, source_id, partner_id, check_id, version, outcome, value, assessed_at,
                               known_at)
select
    'scale', 'A' || half || '/' || partner_id || '/' || check_id, partner_id, check_id, 1, outcome,
    case when outcome = 'partial' then 0.5 end, assessed, assessed + interval '2 hours'
from (
    select
        p.partner_id, c.check_id, half, begins + (half - 1) * interval '360 days' + random() * interval '350 days'
            as assessed,
        (array['pass', 'pass', 'pass', 'pass', 'pass', 'fail', 'partial', 'pass', 'inconclusive', 'not_applicable'])
            [1 + floor(random() * 10)::int] as outcome
    from size, partner p, compliance_check c, generate_series(1, 2) as half
    where random() < facts::float8 / (100 * partners)
) as one;

insert into compliance_waiver (source_system, source_id, partner_id, check_id, approved_by, reason, valid_from,
                               valid_until, known_at)
select 'scale', partner_id, partner_id, 'check-' || 1 + right(partner_id, 1)::int, 'somebody', 'new', '2025-10-01',
       '2026-03-31', '2025-10-01Z'
from partner
where right(partner_id, 2)::int % 20 = 0;
