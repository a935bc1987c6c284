-- Transactions whose sourced shares add up to less than the whole of it; a thousandth is what rounding takes. More than the
-- whole is refused where it comes in. $1 as of.
select
    t.source_system, min(t.source_id) as source_id, min(t.partner_id) as partner_id,
    format('transaction %s: %s', t.transaction_id, string_agg(trim_scale(t.credit_share)::text, ' + ' order by t.source_id))
        as found,
    '1 together' as expected
from partner_transaction_as_of($1::timestamptz) t
where t.attribution = 'sourced'
  and (t.source_system, t.transaction_id) in (
      select s.source_system, s.transaction_id
      from partner_transaction_as_of($1) s
      where s.attribution = 'sourced' and s.credit_share < 1
  )
group by t.source_system, t.transaction_id
having sum(t.credit_share) < 0.999
