-- Discount leakage, percent: discount given / list value, of sourced sales and returns, in reporting currency.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of.
-- Numerator is the discount, denominator the list value, facts the lines that have one. A return takes back both, on
-- its own date. A credit has no list value: it is no discount, and margin knows it. Of list value, discount and net
-- amount any two give the third; lines with the net amount alone are left out and counted.
-- Amounts without a rate are left out of the sums and counted in missing_fx: with any, there is no value.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
rate as (
    select f.currency, f.month, f.rate
    from fx_rate_as_of($5::timestamptz) f
    join reporting_currency r on r.currency = f.reporting_currency
),
line as (
    select
        t.partner_id, t.kind, t.source_system, t.transaction_id,
        coalesce(t.list_amount, t.net_amount + t.discount_amount) * t.credit_share * money.rate as list_value,
        coalesce(t.discount_amount, t.list_amount - t.net_amount) * t.credit_share * money.rate as discount,
        coalesce(t.list_amount, t.discount_amount) is not null as listed,
        money.rate is null as missing_fx
    from partner_transaction_as_of($5) t
    cross join reporting_currency home
    left join rate on rate.currency = t.currency and rate.month = date_trunc('month', t.transaction_date)::date
    cross join lateral (select case when t.currency = home.currency then 1 else rate.rate end as rate) as money
    where t.partner_id = any ($2)
      and t.attribution = 'sourced' and t.kind <> 'credit'
      and t.transaction_date >= $3::timestamptz at time zone 'UTC'
      and t.transaction_date < $4::timestamptz at time zone 'UTC'
),
-- Shares over one mean that the same line is counted for two partners. Both halves of
-- the table as of a moment stand here by themselves: of the first a list of keys is quickest, of the second the
-- versions in force then are hardly any.
credited as (
    select source_system, transaction_id
    from (
        select t.source_system, t.transaction_id, t.credit_share
        from partner_transaction t
        where t.source_system = any (array(select distinct source_system from line))
          and t.transaction_id = any (array(select transaction_id from line))
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
summed as (
    select
        l.partner_id,
        count(*) filter (where listed) as lines,
        count(*) filter (where not listed) as lines_without_list,
        count(*) filter (where listed and missing_fx) as missing_fx,
        count(*) filter (where c.transaction_id is not null) as over_credited,
        count(*) filter (where listed and discount > 0 and l.kind = 'sale') as discounted_lines,
        coalesce(sum(list_value), 0) as list_value,
        coalesce(sum(discount), 0) as discount
    from line l
    left join credited c using (source_system, transaction_id)
    group by l.partner_id
)
select
    m.group_no,
    s.partner_id,
    s.discount::float8 as numerator,
    s.list_value::float8 as denominator,
    s.lines as facts,
    s.list_value::float8 as list_value,
    s.discount::float8 as discount,
    s.lines,
    s.lines_without_list,
    s.discounted_lines,
    s.missing_fx,
    s.over_credited
from member m
join summed s using (partner_id)
order by m.group_no, s.partner_id
