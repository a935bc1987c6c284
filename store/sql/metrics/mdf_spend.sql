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
-- What is said of a fund is worked out once, not for each allocation of it.
budget as materialized (
    select
        b.budget_id, date_trunc('month', b.period_start)::date as month,
        (b.claim_deadline + 1)::timestamp at time zone 'UTC' as claims_close_at,
        b.period_start < $4::timestamptz at time zone 'UTC'
            and b.period_end > $3::timestamptz at time zone 'UTC'
            and b.period_start < $5 at time zone 'UTC' as in_question,
        case b.fund_type when 'accrual' then 1 else
            least(extract(epoch from ($5 at time zone 'UTC') - b.period_start) / period.seconds, 1)
        end as elapsed,
        extract(epoch from least($4::timestamptz at time zone 'UTC', b.period_end)
                           - greatest($3::timestamptz at time zone 'UTC', b.period_start)) / period.seconds as in_window
    from mdf_budget_as_of($5) b
    cross join lateral (select extract(epoch from b.period_end::timestamp - b.period_start) as seconds) as period
),
own_fund as materialized (
    select a.allocation_id, a.partner_id, a.amount, a.currency, b.month, b.claims_close_at, b.in_question, b.elapsed,
           b.in_window
    from mdf_allocation_as_of($5) a
    join budget b using (budget_id)
    where a.partner_id = any ($2)
),
-- What is said of a claim is worked out once, however often it is asked below.
asked_claim as materialized (
    select
        source_system, source_id, partner_id, request_id, currency, claimed_amount, approved_amount, paid_amount,
        submitted_at, decided_at, paid_at, settles_request, late_waived_by, lower(invoice_ref) as invoice,
        coalesce(greatest(paid_at, paid_known_at) <= $5, false) as is_paid,
        coalesce(decision = 'approved' and greatest(decided_at, decided_known_at) <= $5, false) as was_approved,
        coalesce(decision = 'rejected' and greatest(decided_at, decided_known_at) <= $5, false)
            or coalesce(greatest(withdrawn_at, withdrawn_known_at) <= $5, false) as is_void
    from mdf_claim_as_of($5)
    where partner_id = any ($2) and submitted_at <= $5
),
-- A request whose allocation is over before the window is settled: of it only what was paid in the window counts.
own_request as materialized (
    select
        r.request_id, r.partner_id, r.allocation_id, r.currency, r.approved_amount, r.copay_share, r.decided_at,
        coalesce(r.decision = 'approved' and greatest(r.decided_at, r.decided_known_at) <= $5, false) as approved,
        coalesce(greatest(r.released_at, r.released_known_at) <= $5, false) as released,
        f.partner_id as fund_partner_id, f.claims_close_at,
        coalesce(f.in_question, false) or f.partner_id is distinct from r.partner_id as open
    from mdf_request_as_of($5) r
    left join own_fund f using (allocation_id)
    where r.partner_id = any ($2)
),
-- Of most claims there is nothing to say: their requests are settled, and they were paid long ago as they should be. Of
-- what is not said to be settled here, not all is known yet: other partners' requests and allocations come next.
noted as materialized (
    select
        c.*, r.partner_id as request_partner_id, r.allocation_id, r.copay_share, r.fund_partner_id, r.claims_close_at,
        r.currency as request_currency, r.decided_at as request_decided_at, r.open,
        coalesce(r.approved and r.partner_id = c.partner_id, false) as requested
    from asked_claim c
    left join own_request r using (request_id)
    where r.partner_id is distinct from c.partner_id or not r.approved or r.open
       or c.currency <> (select currency from reporting_currency)
       or c.is_paid and (c.paid_at >= $3 and c.paid_at < $4
                         or c.was_approved and c.paid_amount > c.approved_amount
                         or c.paid_amount > c.claimed_amount * (1 - r.copay_share))
       or (c.is_paid or c.was_approved and not c.is_void) and c.late_waived_by is null
           and c.submitted_at >= r.claims_close_at
),
-- A claim may stand against another partner's request, and a request name another partner's allocation. Keys of what else
-- is read are given as a list: a join would not reach the indexes behind a table as of a moment.
other_request as materialized (
    select r.request_id, r.allocation_id, r.copay_share
    from mdf_request_as_of($5) r
    where r.request_id = any (array(
        select request_id from noted where request_id is not null and request_partner_id is null
    ))
),
-- Until when claims may come in, whoever's allocation it is; only its own partner's spend is budgeted by it. Then what is
-- read of a partner does not depend on whether the other one is looked at as well.
other_fund as materialized (
    select a.allocation_id, a.partner_id, b.claims_close_at
    from mdf_allocation_as_of($5) a
    join budget b using (budget_id)
    where a.allocation_id = any (array(
        select allocation_id from own_request where allocation_id is not null and fund_partner_id is null
        union all
        select allocation_id from other_request where allocation_id is not null
    ))
),
-- The same invoice again, whoever hands it in: all but the first are suspect, and not to be paid. One that was
-- rejected or taken back may be handed in again.
repeated as materialized (
    select c.partner_id, c.source_system, c.source_id, c.is_void
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
-- What was paid at the rate of the day of payment, what is owed at that of the decision. Rates are looked up of other
-- currencies only.
claim as materialized (
    select
        c.partner_id, c.request_id, c.allocation_id, c.fund_partner_id is not distinct from c.partner_id as budgeted,
        c.submitted_at, c.requested, c.open, c.is_paid, c.is_void,
        c.is_paid and c.paid_at >= $3 and c.paid_at < $4 as paid_in_window,
        case when c.is_paid then c.paid_amount * factor.rate end as paid,
        case when c.is_owed then c.due * factor.rate end as owed,
        -- A reservation is drawn at the rate it was made at: what the currency did since neither uses it up nor adds to it.
        case when c.is_paid or c.is_owed then
            case when c.is_paid then c.paid_amount else c.due end
                * case when c.requested and c.currency = c.request_currency then factor.reserved_at else factor.rate end
        end as drawn,
        -- What may still come to be owed of what was handed in in time: its decision is awaited, or it is suspect. In what
        -- currency it is worth more or less than another nobody knows before it is decided.
        case when c.requested and c.submitted_at < c.claims_close_at and not (c.is_paid or c.is_owed or c.is_void) then
            coalesce(c.due * case when c.currency = c.request_currency then factor.reserved_at end, 'infinity')
        end as awaited,
        c.settles_request and (c.is_paid or c.is_owed) as settles,
        (c.is_paid or c.is_approved) and factor.rate is null as missing_fx,
        c.is_paid and c.paid_amount > c.due as overpaid,
        (c.is_paid or c.is_approved) and c.late_waived_by is null and c.submitted_at >= c.claims_close_at as late
    from (
        select
            c.partner_id, c.request_id, c.currency, c.paid_amount, c.submitted_at, c.decided_at, c.paid_at,
            c.settles_request, c.late_waived_by, c.is_paid, c.is_void, c.request_currency, c.request_decided_at, c.open,
            c.requested,
            coalesce(c.allocation_id, o.allocation_id) as allocation_id,
            coalesce(c.fund_partner_id, f.partner_id) as fund_partner_id,
            coalesce(c.claims_close_at, f.claims_close_at) as claims_close_at,
            c.was_approved and not c.is_void as is_approved,
            c.was_approved and not c.is_void and not c.is_paid and repeated.source_id is null as is_owed,
            -- Co-pay first, then the lower of claim and approval, once that is known: what is paid may be known before.
            least(case when c.was_approved then c.approved_amount end,
                  c.claimed_amount * (1 - coalesce(c.copay_share, o.copay_share, 0))) as due
        from noted c
        left join other_request o on o.request_id = case when c.request_partner_id is null then c.request_id end
        left join other_fund f
            on f.allocation_id = case when c.fund_partner_id is null then coalesce(c.allocation_id, o.allocation_id) end
        left join repeated using (source_system, source_id)
    ) as c
    left join rate
        on rate.currency = c.currency
       and rate.month = case when c.currency <> (select currency from reporting_currency) then date_trunc(
           'month', case when c.is_paid then c.paid_at else c.decided_at end at time zone 'UTC')::date end
    left join rate as reserved
        on reserved.currency = c.request_currency
       and reserved.month = case when c.request_currency <> (select currency from reporting_currency)
                                 then date_trunc('month', c.request_decided_at at time zone 'UTC')::date end
    cross join lateral (
        select
            case when c.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate,
            case when c.request_currency = (select currency from reporting_currency) then 1 else reserved.rate end
                as reserved_at
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
        coalesce(sum(awaited), 0) as awaited,
        bool_or(settles) as settled
    from claim
    where requested and open
    group by request_id
),
-- What is approved: at the rate of the day it was decided. Of what is settled only whether there is a rate is asked.
promise as materialized (
    select
        r.request_id, r.partner_id, r.allocation_id, r.released, r.open,
        coalesce(r.fund_partner_id = r.partner_id, false) as budgeted,
        coalesce(r.claims_close_at, f.claims_close_at) as claims_close_at,
        -- The most we pay for it, after co-pay.
        r.approved_amount * case when r.currency = (select currency from reporting_currency) then 1 else rate.rate end
            as cap
    from own_request r
    left join other_fund f on f.allocation_id = case when r.fund_partner_id is null then r.allocation_id end
    left join rate
        on rate.currency = r.currency
       and rate.month = case when r.currency <> (select currency from reporting_currency)
                             then date_trunc('month', r.decided_at at time zone 'UTC')::date end
    where r.approved and (r.open or r.currency <> (select currency from reporting_currency))
),
-- One row per approved request with its claims, and one per claim that no approved request stands behind.
commitment as materialized (
    select
        r.partner_id, r.allocation_id, r.budgeted,
        coalesce(c.paid, 0) as paid,
        coalesce(c.paid_in_window, 0) as paid_in_window,
        money.owed,
        -- Money comes back when a claim settles the request, it is released, or claims are closed: then all of it that
        -- nobody has claimed by then.
        case
            when r.released or c.settled then 0
            else least(greatest(room.amount - coalesce(c.drawn_by_owed, 0), 0),
                       case when r.claims_close_at <= $5 then coalesce(c.awaited, 0) end)
        end as reserved
    from promise r
    left join claimed c using (request_id)
    cross join lateral (
        select greatest(coalesce(r.cap, 0) - coalesce(c.drawn_by_paid, 0), 0) as amount
    ) as room
    cross join lateral (
        -- No more is owed than was promised.
        select case when coalesce(c.drawn_by_owed, 0) <= room.amount then coalesce(c.owed, 0)
                    else c.owed * room.amount / c.drawn_by_owed end as owed
    ) as money
    where r.open
    union all
    select
        c.partner_id, c.allocation_id, c.budgeted,
        coalesce(c.paid, 0), case when c.paid_in_window then coalesce(c.paid, 0) else 0 end, coalesce(c.owed, 0), 0
    from claim c
    where not c.requested
),
-- By allocation before they are joined, so that few rows are grouped by all that an allocation is.
spent as (
    select allocation_id, sum(paid) as paid, sum(owed) as owed, sum(reserved) as reserved
    from commitment
    where budgeted
    group by allocation_id
),
budgeted as (
    select
        a.partner_id, a.amount, a.elapsed, a.amount * a.in_window as planned_in_window,
        coalesce(s.paid, 0) as paid,
        coalesce(s.owed, 0) as owed,
        coalesce(s.reserved, 0) as reserved,
        coalesce(s.paid + s.owed + s.reserved, 0) as committed
    from (
        select f.allocation_id, f.partner_id, f.elapsed, f.in_window,
               f.amount * case when f.currency = (select currency from reporting_currency) then 1 else rate.rate end
                   as amount
        from own_fund f
        left join rate on rate.currency = f.currency and rate.month = f.month
        where f.in_question
    ) as a
    left join spent s using (allocation_id)
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
    select partner_id, null, null, null, null, null, null, null, null, null, 0, 0, 0, 0, 0, 0
    from own_request
    where approved
    group by partner_id
    union all
    select partner_id, null, null, null, null, null, null, null, null, null, 1, 0, 0, 0, 0, 0
    from promise
    where cap is null
    union all
    select partner_id, null, null, null, null, null, null, null, null, null,
           count(*) filter (where missing_fx)::int, 0, count(*) filter (where overpaid)::int,
           count(*) filter (where late)::int,
           coalesce(sum(paid) filter (where paid_in_window), 0), 0
    from claim
    group by partner_id
    union all
    select partner_id, null, null, null, null, null, null, null, null, null, 0, 1, 0, 0, 0, 0
    from repeated
    where not is_void
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
