-- $1 a reporting currency: each other currency of which there is money in a month without a rate into that one, with how
-- many such months there are, the first and the last of them. Of each amount the month is asked by which it is changed:
-- of a claim that is not paid yet, and of an allocation, more months than one metric reads may be.
with money as (
    select currency, date_trunc('month', transaction_date::timestamp)::date as month from partner_transaction
    union
    select currency, date_trunc('month', (case when kind = 'rebate' then earned_period::date else recognised_on end)
        ::timestamp)::date
    from partner_cost
    union
    select currency, date_trunc('month', closed_at at time zone 'UTC')::date from opportunity where outcome = 'won'
    union
    select a.currency, date_trunc('month', b.period_start::timestamp)::date
    from mdf_allocation a
    join mdf_budget b using (budget_id)
    union
    select currency, date_trunc('month', decided_at at time zone 'UTC')::date
    from mdf_request
    where decision = 'approved'
    union
    select currency, date_trunc('month', coalesce(paid_at, decided_at) at time zone 'UTC')::date
    from mdf_claim
    where coalesce(paid_at, decided_at) is not null
)
select currency, count(*) as months, min(month) as first, max(month) as last
from money
where currency <> $1
  and not exists (
      select from fx_rate f where (f.currency, f.reporting_currency, f.month) = (money.currency, $1, money.month)
  )
group by currency
order by currency
