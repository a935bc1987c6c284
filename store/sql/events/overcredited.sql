-- Transactions of which more than the whole is credited. $1 source system, $2 transaction ids.
select transaction_id, trim_scale(sum(credit_share)) as share
from partner_transaction
where source_system = $1 and transaction_id = any ($2::text[]) and attribution = 'sourced'
group by transaction_id
having sum(credit_share) > 1
