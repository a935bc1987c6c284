-- The transactions of some partners that leave least over their product cost, in reporting currency: unlike currencies
-- are not compared, and what has no rate comes last. Arguments as of lead_follow_up_sla.sql.
with rate as (:rate),
sold as (
    select t.partner_id, t.transaction_id, sum(t.net_amount * t.credit_share * rate.rate) as amount
    from partner_transaction_as_of($3::timestamptz) t
    left join rate
        on rate.currency = t.currency
        and coalesce(rate.month = date_trunc('month', t.transaction_date::timestamp)::date, true)
    where t.partner_id = any ($1::text[]) and t.attribution = 'sourced'
      and t.transaction_date >= $2::timestamptz at time zone 'UTC' and t.transaction_date < $3 at time zone 'UTC'
    group by t.partner_id, t.transaction_id
),
spent as (
    select c.partner_id, c.transaction_id, sum(c.amount * c.credit_share * rate.rate) as amount
    from partner_cost_as_of($3) c
    left join rate
        on rate.currency = c.currency
        and coalesce(rate.month = date_trunc('month', c.recognised_on::timestamp)::date, true)
    where c.partner_id = any ($1) and c.attribution = 'sourced' and c.kind = 'product' and c.transaction_id is not null
      and (case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end) >= $2 at time zone 'UTC'
      and (case when c.kind = 'rebate' then c.earned_period::date else c.recognised_on end) < $3 at time zone 'UTC'
    group by c.partner_id, c.transaction_id
)
select partner_id, fact
from (
    select sold.partner_id, 'transaction ' || sold.transaction_id as fact,
           row_number() over (
               partition by sold.partner_id
               order by sold.amount - coalesce(spent.amount, 0) nulls last, sold.transaction_id
           ) as place
    from sold
    left join spent using (partner_id, transaction_id)
) as left_over
where place <= $4::int
order by partner_id, place
