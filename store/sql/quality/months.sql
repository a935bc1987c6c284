-- Revenue and its product cost by month, over all partners: $1 from, $2 window start, $3 day (exclusive). A month that
-- the window cuts is two rows: what lies before it, and what lies in it. :days as in volumes.sql.
select date_trunc('month', day)::date as month, day >= $2::date as in_window, currency,
       coalesce(sum(amount) filter (where facts_of = 'partner_transaction'), 0)::float8 as revenue,
       coalesce(sum(amount) filter (where facts_of = 'partner_cost'), 0)::float8 as cost
from (:days) as counted
where facts_of in ('partner_transaction', 'partner_cost') and day >= $1::date and day < $3::date and known_on < $3
group by 1, 2, 3
order by 1, 2, 3
