-- Product cost and freight that count by another share than the sale they belong to. What is paid to one partner alone,
-- such as a commission, may do so. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format('share %s', trim_scale(c.credit_share)) as found,
    format('%s, as of transaction %s', trim_scale(t.credit_share), t.transaction_id) as expected
from partner_cost_as_of($1::timestamptz) c
join partner_transaction_as_of($1) t using (source_system, transaction_id, partner_id)
where c.kind in ('product', 'freight') and c.credit_share <> t.credit_share
