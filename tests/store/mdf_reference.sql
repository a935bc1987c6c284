-- MDF spend as it was first written: every claim joined to its request twice, and all of them summed. What is read now is
-- compared with it (test_plainer_statements.py).
-- MDF spend, percent of plan to date: (paid + approved unpaid + reserved) / (allocation x elapsed share of its period).
-- A discretionary fund is planned evenly over its period; an accrual fund is earned with sales, so what is allocated
-- by the moment is all there for the spending.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of. Counts the
-- allocations whose fund period overlaps the window; all they have committed up to the moment, in reporting currency.
-- An allocation with less than 25 % of its period gone says nothing yet and is left out of both sums, unless it is
-- already committed beyond its whole amount. Spend without an allocation of the partner's own stands in unbudgeted: with
-- any, there is no value. Facts are the allocations counted plus the commitments without one.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
rate as (
    select f.currency, f.month, f.rate
    from fx_rate_as_of($5::timestamptz) f
    where f.reporting_currency = (select currency from reporting_currency)
),
allocation as (
    select
        a.allocation_id, a.partner_id, b.claim_deadline,
        a.amount * case when a.currency = (select currency from reporting_currency) then 1 else rate.rate end as amount,
        case b.fund_type when 'accrual' then 1 else
            least(extract(epoch from ($5 at time zone 'UTC') - b.period_start) / period.seconds, 1)
        end as elapsed,
        extract(epoch from least($4::timestamptz at time zone 'UTC', b.period_end)
                           - greatest($3::timestamptz at time zone 'UTC', b.period_start)) / period.seconds as in_window
    from mdf_allocation_as_of($5) a
    join mdf_budget_as_of($5) b using (budget_id)
    cross join lateral (select extract(epoch from b.period_end::timestamp - b.period_start) as seconds) as period
    left join rate on rate.currency = a.currency and rate.month = date_trunc('month', b.period_start)::date
    where a.partner_id = any ($2)
      and b.period_start < $4::timestamptz at time zone 'UTC'
      and b.period_end > $3::timestamptz at time zone 'UTC'
      and b.period_start < $5 at time zone 'UTC'
),
asked_claim as materialized (
    select
        source_system, source_id, partner_id, request_id, currency, claimed_amount, approved_amount, paid_amount,
        submitted_at, decision, decided_at, decided_known_at, paid_at, paid_known_at, withdrawn_at, withdrawn_known_at,
        settles_request, late_waived_by, lower(invoice_ref) as invoice
    from mdf_claim_as_of($5)
    where partner_id = any ($2) and submitted_at <= $5
),
own_request as materialized (
    select r.request_id, r.partner_id, r.allocation_id, r.currency, r.approved_amount, r.copay_share, r.decision,
           r.decided_at, r.decided_known_at, r.released_at, r.released_known_at
    from mdf_request_as_of($5) r
    where r.partner_id = any ($2)
),
-- A claim may stand against another partner's request. Keys of what else is read are given as a list: a join would not
-- reach the indexes behind a table as of a moment.
asked_request as materialized (
    select * from own_request
    union all
    select r.request_id, r.partner_id, r.allocation_id, r.currency, r.approved_amount, r.copay_share, r.decision,
           r.decided_at, r.decided_known_at, r.released_at, r.released_known_at
    from mdf_request_as_of($5) r
    where r.request_id = any (array(
        select c.request_id from asked_claim c
        where c.request_id is not null and not exists (select from own_request o where o.request_id = c.request_id)
    ))
),
-- Until when claims may come in, whoever's allocation it is; only its own partner's spend is budgeted by it. Then what is
-- read of a partner does not depend on whether the other one is looked at as well.
fund as materialized (
    select a.allocation_id, a.partner_id, (b.claim_deadline + 1)::timestamp at time zone 'UTC' as claims_close_at
    from mdf_allocation_as_of($5) a
    join mdf_budget_as_of($5) b using (budget_id)
    where a.allocation_id = any (array(select distinct allocation_id from asked_request where allocation_id is not null))
),
-- What is approved: at the rate of the day it was decided. cap is the most we pay for it, after co-pay.
request as (
    select
        r.request_id, r.partner_id, r.allocation_id, r.currency,
        coalesce(fund.partner_id = r.partner_id, false) as budgeted,
        fund.claims_close_at, factor.rate, r.approved_amount * factor.rate as cap,
        coalesce(greatest(r.released_at, r.released_known_at) <= $5, false) as released
    from asked_request r
    left join fund using (allocation_id)
    left join rate
        on rate.currency = r.currency and rate.month = date_trunc('month', r.decided_at at time zone 'UTC')::date
    cross join lateral (
        select case when r.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
    where r.partner_id = any ($2)
      and r.decision = 'approved' and greatest(r.decided_at, r.decided_known_at) <= $5
),
-- The same invoice again, whoever hands it in: all but the first are suspect, and not to be paid. One that was
-- rejected or taken back may be handed in again.
repeated as (
    select c.source_system, c.source_id
    from asked_claim c
    where exists (
        select from mdf_claim_as_of($5) other
        where lower(other.invoice_ref) = any (array(select invoice from asked_claim where invoice is not null))
          and lower(other.invoice_ref) = c.invoice
          and other.submitted_at <= $5
          and not coalesce(other.decision = 'rejected'
                           and greatest(other.decided_at, other.decided_known_at) <= $5, false)
          and not coalesce(greatest(other.withdrawn_at, other.withdrawn_known_at) <= $5, false)
          and (other.submitted_at, other.source_system, other.source_id) < (c.submitted_at, c.source_system, c.source_id)
    )
),
claim_seen as (
    select
        c.partner_id, c.request_id, c.currency, c.submitted_at, c.decided_at, c.paid_at, c.paid_amount,
        c.settles_request, c.late_waived_by, r.allocation_id, coalesce(fund.partner_id = c.partner_id, false) as budgeted,
        fund.claims_close_at,
        -- Co-pay first, then the lower of claim and approval, once that is known.
        least(case when c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $5
                   then c.approved_amount end,
              c.claimed_amount * (1 - coalesce(r.copay_share, 0))) as due_amount,
        coalesce(greatest(c.paid_at, c.paid_known_at) <= $5, false) as is_paid,
        coalesce(c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $5, false)
            and not gone.is_void as is_approved,
        gone.is_void,
        repeated.source_id is not null as duplicate
    from asked_claim c
    left join repeated using (source_system, source_id)
    left join asked_request r on r.request_id = c.request_id
    left join fund on fund.allocation_id = r.allocation_id
    cross join lateral (
        select coalesce(c.decision = 'rejected' and greatest(c.decided_at, c.decided_known_at) <= $5, false)
               or coalesce(greatest(c.withdrawn_at, c.withdrawn_known_at) <= $5, false) as is_void
    ) as gone
),
-- What was paid at the rate of the day of payment, what is owed at that of the decision.
claim as (
    select
        c.partner_id, c.request_id, c.allocation_id, c.budgeted, c.submitted_at, r.request_id is not null as requested,
        c.duplicate and not c.is_void as duplicate,
        c.is_paid and c.paid_at >= $3 and c.paid_at < $4 as paid_in_window,
        case when c.is_paid then c.paid_amount * factor.rate end as paid,
        case when c.is_approved and not c.is_paid and not c.duplicate then c.due_amount * factor.rate end as owed,
        -- A reservation is drawn at the rate it was made at: what the currency did since neither uses it up nor adds to it.
        case when c.is_paid or (c.is_approved and not c.duplicate) then
            case when c.is_paid then c.paid_amount else c.due_amount end
                * case when c.currency = r.currency then r.rate else factor.rate end
        end as drawn,
        c.is_paid,
        c.is_void,
        case when c.submitted_at < c.claims_close_at and not c.is_void and not c.is_paid
                  and (not c.is_approved or c.duplicate)
             then case when c.currency = r.currency and r.rate is not null then c.due_amount * r.rate
                       else 'infinity' end end as awaited,
        c.settles_request and (c.is_paid or (c.is_approved and not c.duplicate)) as settles,
        (c.is_paid or c.is_approved) and factor.rate is null as missing_fx,
        c.is_paid and c.paid_amount > c.due_amount as overpaid,
        (c.is_paid or c.is_approved) and c.late_waived_by is null and c.submitted_at >= c.claims_close_at as late
    from claim_seen c
    left join request r on r.request_id = c.request_id and r.partner_id = c.partner_id
    left join rate on rate.currency = c.currency and rate.month = date_trunc(
        'month', case when c.is_paid then c.paid_at else c.decided_at end at time zone 'UTC')::date
    cross join lateral (
        select case when c.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
),
claimed as (
    select
        request_id,
        coalesce(sum(paid), 0) as paid,
        coalesce(sum(paid) filter (where paid_in_window), 0) as paid_in_window,
        coalesce(sum(owed), 0) as owed,
        coalesce(sum(drawn) filter (where is_paid), 0) as drawn_by_paid,
        coalesce(sum(drawn) filter (where not is_paid), 0) as drawn_by_owed,
        bool_or(settles) as settled,
        sum(awaited) as awaited
    from claim
    where requested
    group by request_id
),
-- One row per approved request with its claims, and one per claim that no approved request stands behind.
commitment as (
    select
        r.partner_id, r.allocation_id, r.budgeted, r.cap is null as missing_fx,
        coalesce(c.paid, 0) as paid,
        coalesce(c.paid_in_window, 0) as paid_in_window,
        money.owed,
        -- Money comes back when a claim settles the request, it is released, or nobody claimed it in time.
        case
            when r.released or c.settled then 0
            when r.claims_close_at <= $5
                then greatest(least(room.amount - coalesce(c.drawn_by_owed, 0), coalesce(c.awaited, 0)), 0)
            else greatest(room.amount - coalesce(c.drawn_by_owed, 0), 0)
        end as reserved
    from request r
    left join claimed c using (request_id)
    cross join lateral (
        select greatest(coalesce(r.cap, 0) - coalesce(c.drawn_by_paid, 0), 0) as amount
    ) as room
    cross join lateral (
        -- No more is owed than was promised.
        select case when coalesce(c.drawn_by_owed, 0) <= room.amount then coalesce(c.owed, 0)
                    else c.owed * room.amount / c.drawn_by_owed end as owed
    ) as money
    union all
    select
        c.partner_id, c.allocation_id, c.budgeted, false,
        coalesce(c.paid, 0), case when c.paid_in_window then coalesce(c.paid, 0) else 0 end, coalesce(c.owed, 0), 0
    from claim c
    where not c.requested
),
budgeted as (
    select
        a.partner_id, a.amount, a.elapsed, a.amount * a.in_window as planned_in_window,
        coalesce(sum(c.paid), 0) as paid,
        coalesce(sum(c.owed), 0) as owed,
        coalesce(sum(c.reserved), 0) as reserved,
        coalesce(sum(c.paid + c.owed + c.reserved), 0) as committed
    from allocation a
    left join commitment c on c.allocation_id = a.allocation_id and c.budgeted
    group by a.allocation_id, a.partner_id, a.amount, a.elapsed, a.in_window
),
-- Payments are those of the window; what is owed and reserved stands as of the moment.
unbudgeted as (
    select c.partner_id, c.paid_in_window + c.owed + c.reserved as amount
    from commitment c
    where not c.budgeted and c.paid_in_window + c.owed + c.reserved > 0
),
item as (
    select partner_id, elapsed >= 0.25 or coalesce(committed > amount, false) as counts, committed > amount as overspent,
           amount, elapsed, paid, owed, reserved, committed, null::numeric as unbudgeted,
           case when amount is null then 1 else 0 end as missing_fx, 0 as duplicates, 0 as overpaid, 0 as late,
           0::numeric as paid_in_window, planned_in_window
    from budgeted
    union all
    select partner_id, null, null, null, null, null, null, null, null, amount, 0, 0, 0, 0, 0, 0 from unbudgeted
    union all
    select partner_id, null, null, null, null, null, null, null, null, null, missing_fx::int, 0, 0, 0, paid_in_window, 0
    from commitment
    union all
    select partner_id, null, null, null, null, null, null, null, null, null,
           missing_fx::int, duplicate::int, overpaid::int, late::int, 0, 0
    from claim
),
summed as (
    select
        partner_id,
        count(*) filter (where counts) as allocations,
        count(*) filter (where not counts) as young_allocations,
        count(*) filter (where overspent) as overspent_allocations,
        count(unbudgeted) as unbudgeted_items,
        coalesce(sum(amount) filter (where counts), 0) as allocation,
        coalesce(sum(amount * elapsed) filter (where counts), 0) as plan_to_date,
        coalesce(sum(paid) filter (where counts), 0) as paid,
        coalesce(sum(owed) filter (where counts), 0) as owed,
        coalesce(sum(reserved) filter (where counts), 0) as reserved,
        coalesce(sum(committed) filter (where counts), 0) as committed,
        coalesce(sum(committed) filter (where not counts), 0) as young_committed,
        coalesce(sum(unbudgeted), 0) as unbudgeted,
        sum(paid_in_window) as paid_in_window,
        coalesce(sum(planned_in_window), 0) as planned_in_window,
        sum(missing_fx) as missing_fx,
        sum(duplicates) as duplicates,
        sum(overpaid) as overpaid,
        sum(late) as late
    from item
    group by partner_id
)
select
    m.group_no,
    s.partner_id,
    s.committed::float8 as numerator,
    s.plan_to_date::float8 as denominator,
    s.allocations + s.unbudgeted_items as facts,
    s.allocations,
    s.allocation::float8 as allocation,
    s.plan_to_date::float8 as plan_to_date,
    s.paid::float8 as paid,
    s.owed::float8 as approved_unpaid,
    s.reserved::float8 as reserved,
    s.paid_in_window::float8 as paid_in_window,
    s.planned_in_window::float8 as planned_in_window,
    s.unbudgeted::float8 as unbudgeted,
    s.young_allocations,
    s.young_committed::float8 as young_committed,
    s.overspent_allocations,
    s.duplicates as duplicate_invoices,
    s.overpaid as overpaid_claims,
    s.late as late_claims,
    s.missing_fx
from member m
join summed s using (partner_id)
order by m.group_no, s.partner_id
