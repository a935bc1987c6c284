-- Returns and credits of one sale that take back, of one partner and currency, more than was sold; one unit is what
-- rounding takes. Amounts are of the whole line, so each counts by its share. $1 as of.
with returned as materialized (
    select
        r.source_system, r.original_id as transaction_id, r.partner_id, r.currency, min(r.source_id) as source_id,
        -sum(r.net_amount * r.credit_share) as amount
    from partner_transaction_as_of($1::timestamptz) r
    where r.kind <> 'sale' and r.original_id is not null
    group by r.source_system, r.original_id, r.partner_id, r.currency
)
select
    r.source_system, r.source_id, r.partner_id,
    format('%s %s taken back of sale %s', trim_scale(r.amount), r.currency, r.transaction_id) as found,
    format('at most %s, as sold', trim_scale(sold.amount)) as expected
from returned r
join (
    select s.source_system, s.transaction_id, s.partner_id, s.currency, sum(s.net_amount * s.credit_share) as amount
    from partner_transaction_as_of($1) s
    where s.kind = 'sale' and (s.source_system, s.transaction_id) in (select source_system, transaction_id from returned)
    group by s.source_system, s.transaction_id, s.partner_id, s.currency
) as sold using (source_system, transaction_id, partner_id, currency)
where r.amount > sold.amount + 1
