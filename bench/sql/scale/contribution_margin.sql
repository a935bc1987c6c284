-- Margin as DuckDB is asked, without what only PostgreSQL gains by; what the product reads is compared with it
-- (tests/store/test_plainer_statements.py).
-- Partner contribution margin: net revenue less variable cost, over net revenue, in reporting currency.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of.
-- Numerator is the money contribution, denominator the net revenue, facts the sourced revenue lines.
-- Amounts without a rate are left out of the sums and counted in missing_fx: with any, there is no value.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
rate as (
    select f.currency, f.month, f.rate
    from fx_rate_as_of($5::timestamptz) f
    where f.reporting_currency = (select currency from reporting_currency)
),
bounds as (
    select $3::timestamptz at time zone 'UTC' as starts, $4::timestamptz at time zone 'UTC' as ends
),
revenue as (
    select t.partner_id, t.attribution, t.net_amount * t.credit_share as amount, t.currency,
           t.transaction_date as day, t.source_system, t.transaction_id
    from partner_transaction_as_of($5) t
    where t.partner_id = any ($2)
      and t.transaction_date >= $3::timestamptz at time zone 'UTC'
      and t.transaction_date < $4::timestamptz at time zone 'UTC'
      and t.transaction_date <= $5::timestamptz at time zone 'UTC'
),
-- Shares over one mean that the same revenue is counted for two partners. Influence is counted for nobody. Both halves
-- of the table as of a moment stand here by themselves: of the first a list of keys is quickest, of the second the
-- versions in force then are hardly any.
credited as (
    select source_system, transaction_id
    from (
        select t.source_system, t.transaction_id, t.credit_share
        from partner_transaction t
        where t.source_system = any (array(select distinct source_system from revenue))
          and t.transaction_id = any (array(select transaction_id from revenue where attribution = 'sourced' order by 1))
          and t.attribution = 'sourced' and t.known_at <= $5 and (t.amended_at is null or t.amended_at <= $5)
        union all
        select t.source_system, t.transaction_id, t.credit_share
        from superseded.partner_transaction t
        where t.superseded_at > $5
          and t.attribution = 'sourced' and t.known_at <= $5 and (t.amended_at is null or t.amended_at <= $5)
    ) as known
    group by transaction_id, source_system
    -- Nearly every line has the whole credit of a transaction that has no other: for those nothing is summed.
    having count(*) > 1
       and count(*) filter (where credit_share = 1) + coalesce(sum(credit_share) filter (where credit_share <> 1), 0)
           > 1.000001
),
over_credited as (
    select r.partner_id, count(*) as lines
    from revenue r
    join credited using (source_system, transaction_id)
    where r.attribution = 'sourced'
    group by r.partner_id
),
-- What a line counts as. Cost of influenced business is in no sum, and needs no rate.
line as (
    select partner_id,
           case when attribution <> 'sourced' then 'influenced' when amount < 0 then 'returned' else 'revenue' end as part,
           amount, currency, day
    from revenue
    union all
    -- A rebate belongs to the month that earned it, evenly over its days, whenever it is booked.
    select c.partner_id,
           case when c.kind in ('commission', 'rebate', 'spiff') then 'payments' else c.kind end,
           case when c.kind = 'rebate'
                then c.amount * c.credit_share
                    * extract(epoch from least(bounds.ends, earned.ends) - greatest(bounds.starts, earned.starts))
                    / extract(epoch from earned.ends - earned.starts)
                else c.amount * c.credit_share end,
           c.currency, case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end
    from partner_cost_as_of($5) c
    cross join bounds
    cross join lateral (
        select c.earned_period::timestamp as starts, c.earned_period::timestamp + interval '1 month' as ends
    ) as earned
    where c.partner_id = any ($2) and c.attribution = 'sourced'
      -- What the index is made of: a month of rebates may have begun before the window does.
      and (case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end)
          >= ($3 at time zone 'UTC') - interval '31 days'
      and (case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end) < $4 at time zone 'UTC'
      and (case when c.kind = 'rebate' then earned.ends > bounds.starts else c.recognised_on >= bounds.starts end)
      and (c.kind = 'rebate' or c.recognised_on <= $5 at time zone 'UTC')
    union all
    select m.partner_id, 'mdf', m.paid_amount, m.currency, (m.paid_at at time zone 'UTC')::date
    from mdf_claim_as_of($5) m
    where m.partner_id = any ($2) and m.paid_at >= $3 and m.paid_at < $4
      and greatest(m.paid_at, m.paid_known_at) <= $5
),
-- By currency and month: a sum times its rate is the sum of what is changed one by one, at far less work. What needs no
-- rate needs no month.
added as (
    select partner_id, part, currency, month.first as month,
           count(*)::int as lines, sum(amount) as amount
    from line
    cross join lateral (
        select case when currency <> (select currency from reporting_currency)
                    then date_trunc('month', day::timestamp)::date end as first
    ) as month
    group by partner_id, part, currency, month.first
),
converted as (
    select a.partner_id, a.part, a.lines, a.amount * factor.rate as amount
    from added a
    left join rate on rate.currency = a.currency and rate.month = a.month
    cross join lateral (
        select case when a.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
),
summed as (
    select
        partner_id,
        coalesce(sum(lines) filter (where part in ('revenue', 'returned')), 0) as lines,
        coalesce(sum(lines) filter (where part not in ('revenue', 'returned', 'influenced', 'mdf')), 0) as cost_lines,
        coalesce(sum(lines) filter (where amount is null), 0) as missing_fx,
        coalesce(sum(amount) filter (where part in ('revenue', 'returned')), 0) as revenue,
        coalesce(sum(amount) filter (where part = 'influenced'), 0) as influenced,
        coalesce(sum(amount) filter (where part = 'product'), 0) as product,
        coalesce(sum(amount) filter (where part = 'freight'), 0) as freight,
        coalesce(sum(amount) filter (where part = 'payments'), 0) as payments,
        coalesce(sum(amount) filter (where part = 'support'), 0) as support,
        coalesce(sum(amount) filter (where part = 'mdf'), 0) as mdf,
        coalesce(-sum(amount) filter (where part = 'returned'), 0) as returned
    from converted
    group by partner_id
),
-- Months of the window whose rebates are not all in yet.
open_months as (
    select count(*) as months
    from bounds
    cross join generate_series(date_trunc('month', bounds.starts), bounds.ends - interval '1 us', interval '1 month') as m
    where not exists (
        select from rebate_run_as_of($5) r
        where r.earned_period = m::date and r.closed_at <= $5
    )
)
select
    m.group_no,
    s.partner_id,
    (s.revenue - s.product - s.freight - s.payments - s.support - s.mdf)::float8 as numerator,
    s.revenue::float8 as denominator,
    s.lines as facts,
    s.revenue::float8 as net_revenue,
    s.product::float8 as product_cost,
    s.freight::float8 as freight_cost,
    s.payments::float8 as partner_payments,
    s.support::float8 as support_cost,
    s.mdf::float8 as mdf,
    (s.revenue - s.product - s.freight - s.payments - s.support - s.mdf)::float8 as contribution,
    s.returned::float8 as returned,
    s.influenced::float8 as influenced_revenue,
    s.cost_lines,
    s.missing_fx,
    coalesce(o.lines, 0) as over_credited,
    -- To a partner of whom no rebate is known nothing is owed.
    -- Asked by partner, with a limit: whether any exists is otherwise answered from everybody's rebates.
    case when open_months.months > 0 and (
        select true from partner_cost_as_of($5) c
        where c.partner_id = s.partner_id and c.kind = 'rebate'
        limit 1
    ) then open_months.months else 0 end as accruals_open
from member m
join summed s using (partner_id)
left join over_credited o using (partner_id)
cross join open_months
order by m.group_no, s.partner_id
