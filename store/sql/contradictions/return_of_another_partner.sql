-- Returns and credits of sales of which no line is the same partner's. $1 as of.
with returned as materialized (
    select r.source_system, r.source_id, r.partner_id, r.original_id as transaction_id
    from partner_transaction_as_of($1::timestamptz) r
    where r.kind <> 'sale' and r.original_id is not null
)
select
    r.source_system, r.source_id, r.partner_id,
    format('sale %s, of partner %s', r.transaction_id, array_to_string(sold.partners[1:3], ', ')) as found,
    format('a sale of partner %s', r.partner_id) as expected
from returned r
join (
    select s.source_system, s.transaction_id, array_agg(distinct s.partner_id order by s.partner_id) as partners
    from partner_transaction_as_of($1) s
    where s.kind = 'sale' and (s.source_system, s.transaction_id) in (select source_system, transaction_id from returned)
    group by s.source_system, s.transaction_id
) as sold using (source_system, transaction_id)
where r.partner_id <> all (sold.partners)
