-- Costs of sales of which no line is the same partner's. First those without such a line, which are few: only of them it
-- is asked whether the sale is known at all. $1 as of.
with stray as materialized (
    select c.source_system, c.source_id, c.partner_id, c.transaction_id
    from partner_cost_as_of($1::timestamptz) c
    where c.transaction_id is not null and not exists (
        select
        from partner_transaction_as_of($1) t
        where t.source_system = c.source_system and t.transaction_id = c.transaction_id and t.partner_id = c.partner_id
    )
)
select
    c.source_system, c.source_id, c.partner_id,
    format('transaction %s, of partner %s', c.transaction_id, array_to_string(sold.partners[1:3], ', ')) as found,
    format('a transaction of partner %s', c.partner_id) as expected
from stray c
join (
    select s.source_system, s.transaction_id, array_agg(distinct s.partner_id order by s.partner_id) as partners
    from partner_transaction_as_of($1) s
    where (s.source_system, s.transaction_id) in (select source_system, transaction_id from stray)
    group by s.source_system, s.transaction_id
) as sold using (source_system, transaction_id)
