-- Rows with which one transaction would be credited for more than the whole of it, together with what is stored:
-- the same revenue counted twice. Influence is kept apart and counted for nobody.
with credited as (
    select source_system, transaction_id, sum(credit_share) as share
    from (
        select s.source_system, s.transaction_id, s.credit_share from intake_staged s where s.attribution = 'sourced'
        union all
        select t.source_system, t.transaction_id, t.credit_share
        from partner_transaction t
        join (select distinct source_system, transaction_id from intake_staged) as touched
            using (source_system, transaction_id)
        where t.attribution = 'sourced' and not exists (
            select from intake_staged s where s.source_system = t.source_system and s.source_id = t.source_id
        )
    ) as lines
    group by source_system, transaction_id
    having sum(credit_share) > 1
),
bad as (
    delete from intake_staged s
    using credited c
    where c.source_system = s.source_system and c.transaction_id = s.transaction_id and s.attribution = 'sourced'
    returning s.line, s.transaction_id, c.share
)
insert into intake_rejected (line, field, reason)
select line, 'credit_share', format('the shares of transaction %L add up to %s; allowed: at most 1',
                                    transaction_id, trim_scale(share))
from bad
