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
-- Shares over one mean that the same revenue is counted for two partners. Influence is counted for nobody. It is asked
-- only of lines that have others beside them.
together as (
    select s.source_system, s.transaction_id
    from shared_line s
    where s.partner_id = any ($2)
      and s.transaction_date >= $3::timestamptz at time zone 'UTC'
      and s.transaction_date < $4::timestamptz at time zone 'UTC'
),
-- Both halves of the table as of a moment stand here by themselves: of the first a list of keys is quickest, of the second
-- the versions in force then are hardly any.
credited as (
    select source_system, transaction_id
    from (
        select t.source_system, t.transaction_id, t.credit_share
        from partner_transaction t
        where t.source_system = any (array(select distinct source_system from together))
          and t.transaction_id = any (array(select transaction_id from together order by 1))
          and t.attribution = 'sourced' and t.known_at <= $5 and (t.amended_at is null or t.amended_at <= $5)
        union all
        select t.source_system, t.transaction_id, t.credit_share
        from superseded.partner_transaction t
        where t.superseded_at > $5
          and t.attribution = 'sourced' and t.known_at <= $5 and (t.amended_at is null or t.amended_at <= $5)
    ) as known
    group by source_system, transaction_id
    having sum(credit_share) > 1.000001
),
over_credited as (
    select t.partner_id, count(*) as lines
    from partner_transaction_as_of($5) t
    join credited using (source_system, transaction_id)
    -- By those keys: of most windows there are none.
    where t.source_system = any (array(select distinct source_system from credited))
      and t.transaction_id = any (array(select transaction_id from credited order by 1))
      and t.attribution = 'sourced'
      and t.partner_id in (select partner_id from member)
      and t.transaction_date >= $3::timestamptz at time zone 'UTC'
      and t.transaction_date < $4::timestamptz at time zone 'UTC'
      and t.transaction_date <= $5::timestamptz at time zone 'UTC'
    group by t.partner_id
),
-- Each line is changed by itself, and what is in reporting currency looks for no rate: where partners have hardly more
-- lines than months and currencies, that is half the work of grouping by those first.
sold as (
    select t.partner_id,
           count(*) filter (where t.attribution = 'sourced') as lines,
           count(*) filter (where factor.rate is null) as missing_fx,
           sum(t.net_amount * t.credit_share * factor.rate) filter (where t.attribution = 'sourced') as revenue,
           sum(t.net_amount * t.credit_share * factor.rate) filter (where t.attribution <> 'sourced') as influenced,
           -sum(t.net_amount * t.credit_share * factor.rate)
               filter (where t.attribution = 'sourced' and t.net_amount < 0) as returned
    from partner_transaction_as_of($5) t
    left join rate
        on rate.currency = case when t.currency <> (select currency from reporting_currency) then t.currency end
        and rate.month = date_trunc('month', t.transaction_date::timestamp)::date
    cross join lateral (
        select case when t.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
    where t.partner_id = any ($2)
      and t.transaction_date >= $3::timestamptz at time zone 'UTC'
      and t.transaction_date < $4::timestamptz at time zone 'UTC'
      and t.transaction_date <= $5::timestamptz at time zone 'UTC'
    group by t.partner_id
),

-- A rebate belongs to the month that earned it, evenly over its days, whenever it is booked.
cost as (
    select c.partner_id, c.kind, c.currency, counted.day,
           case when c.kind = 'rebate'
                then c.amount * c.credit_share
                    * extract(epoch from least(bounds.ends, earned.ends) - greatest(bounds.starts, earned.starts))
                    / extract(epoch from earned.ends - earned.starts)
                else c.amount * c.credit_share end as amount
    from partner_cost_as_of($5) c
    cross join bounds
    cross join lateral (
        select c.earned_period::timestamp as starts, c.earned_period::timestamp + interval '1 month' as ends
    ) as earned
    cross join lateral (
        -- What the index is made of.
        select case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end as day
    ) as counted
    where c.partner_id = any ($2) and c.attribution = 'sourced'
      -- A month of rebates may have begun before the window does.
      and counted.day >= ($3 at time zone 'UTC') - interval '31 days'
      and counted.day < $4 at time zone 'UTC'
      and (case when c.kind = 'rebate' then earned.ends > bounds.starts else c.recognised_on >= bounds.starts end)
      and (c.kind = 'rebate' or c.recognised_on <= $5 at time zone 'UTC')
),
spent as (
    select c.partner_id,
           count(*) as lines,
           count(*) filter (where factor.rate is null) as missing_fx,
           sum(c.amount * factor.rate) filter (where c.kind = 'product') as product,
           sum(c.amount * factor.rate) filter (where c.kind = 'freight') as freight,
           sum(c.amount * factor.rate) filter (where c.kind in ('commission', 'rebate', 'spiff')) as payments,
           sum(c.amount * factor.rate) filter (where c.kind = 'support') as support
    from cost c
    left join rate
        on rate.currency = case when c.currency <> (select currency from reporting_currency) then c.currency end
        and rate.month = date_trunc('month', c.day::timestamp)::date
    cross join lateral (
        select case when c.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
    group by c.partner_id
),
paid as (
    select m.partner_id,
           count(*) filter (where factor.rate is null) as missing_fx,
           sum(m.paid_amount * factor.rate) as mdf
    from mdf_claim_as_of($5) m
    left join rate
        on rate.currency = case when m.currency <> (select currency from reporting_currency) then m.currency end
        and rate.month = date_trunc('month', m.paid_at at time zone 'UTC')::date
    cross join lateral (
        select case when m.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
    where m.partner_id = any ($2) and m.paid_at >= $3 and m.paid_at < $4
      and greatest(m.paid_at, m.paid_known_at) <= $5
    group by m.partner_id
),
summed as (
    select
        partner_id,
        coalesce(sold.lines, 0) as lines,
        coalesce(spent.lines, 0) as cost_lines,
        coalesce(sold.missing_fx, 0) + coalesce(spent.missing_fx, 0) + coalesce(paid.missing_fx, 0) as missing_fx,
        coalesce(sold.revenue, 0) as revenue,
        coalesce(sold.influenced, 0) as influenced,
        coalesce(spent.product, 0) as product,
        coalesce(spent.freight, 0) as freight,
        coalesce(spent.payments, 0) as payments,
        coalesce(spent.support, 0) as support,
        coalesce(paid.mdf, 0) as mdf,
        coalesce(sold.returned, 0) as returned
    from sold
    full join spent using (partner_id)
    full join paid using (partner_id)
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
