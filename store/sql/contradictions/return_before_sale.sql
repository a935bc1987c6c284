-- Returns and credits dated before the sale they belong to. $1 as of.
with returned as materialized (
    select r.source_system, r.source_id, r.partner_id, r.transaction_date, r.original_id as transaction_id
    from partner_transaction_as_of($1::timestamptz) r
    where r.kind <> 'sale' and r.original_id is not null
)
select
    r.source_system, r.source_id, r.partner_id,
    format('dated %s', r.transaction_date) as found,
    format('from %s on, when %s was sold', sold.first_day, r.transaction_id) as expected
from returned r
join (
    select s.source_system, s.transaction_id, min(s.transaction_date) as first_day
    from partner_transaction_as_of($1) s
    where s.kind = 'sale' and (s.source_system, s.transaction_id) in (select source_system, transaction_id from returned)
    group by s.source_system, s.transaction_id
) as sold using (source_system, transaction_id)
where r.transaction_date < sold.first_day
