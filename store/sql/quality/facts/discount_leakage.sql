-- The sales of some partners of which most of the list value was given away, in reporting currency: what has no rate comes
-- last. Arguments as of lead_follow_up_sla.sql.
with rate as (:rate)
select partner_id, fact
from (
    select t.partner_id, 'transaction ' || t.transaction_id as fact,
           row_number() over (
               partition by t.partner_id order by sum(given.discount * rate.rate) desc nulls last, t.transaction_id
           ) as place
    from partner_transaction_as_of($3::timestamptz) t
    left join rate
        on rate.currency = t.currency
        and coalesce(rate.month = date_trunc('month', t.transaction_date::timestamp)::date, true)
    cross join lateral (
        select coalesce(t.discount_amount, t.list_amount - t.net_amount) * t.credit_share as discount
    ) as given
    where t.partner_id = any ($1::text[]) and t.attribution = 'sourced' and t.kind = 'sale'
      and t.transaction_date >= $2::timestamptz at time zone 'UTC' and t.transaction_date < $3 at time zone 'UTC'
      and given.discount > 0
    group by t.partner_id, t.transaction_id
) as discounted
where place <= $4::int
order by partner_id, place
