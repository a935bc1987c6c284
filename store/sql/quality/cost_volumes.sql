-- How many lines of product cost each source told of, period by period back from a day, as volumes.sql counts facts.
-- $1 day (exclusive), $2 days of a period, $3 periods. sells: the source tells of revenue as well, so that its costs are
-- those of its own partners. :days as in volumes.sql.
select told.source_system, period, sum(told.facts)::float8 as facts, max(told.day) filter (where told.facts > 0) as through,
       coalesce(sum(told.facts) filter (where told.known_on < $1::date - period * $2::int), 0)::float8 as fresh,
       exists (
           select from (:days) as sold
           where sold.facts_of = 'partner_transaction' and sold.source_system = told.source_system and sold.known_on < $1
           group by sold.day, sold.known_on
           having sum(sold.facts) > 0
       ) as sells
from (
    select source_system, day, known_on, sum(facts) as facts
    from (:days) as counted
    where facts_of = 'partner_cost' and day < $1 and day >= $1::date - $2::int * $3::int and known_on < $1
    group by source_system, day, known_on
) as told
cross join lateral (select ($1::date - 1 - told.day) / $2::int as period) as counted
group by told.source_system, period
having sum(told.facts) > 0
order by told.source_system, period
