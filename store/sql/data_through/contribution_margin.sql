-- How far revenue and its product cost reach, as of $1: the lesser of both, because revenue without its cost looks
-- like margin. A business date is covered to its end, but never beyond the moment asked for.
select case when reached.day is not null
            then least((reached.day + 1)::timestamp at time zone 'UTC', $1::timestamptz) end
from (
    select least(
        greatest(
            (select max(transaction_date) from partner_transaction
             where transaction_date <= $1 at time zone 'UTC' and greatest(known_at, amended_at) <= $1),
            (select max(transaction_date) from superseded.partner_transaction
             where superseded_at > $1 and transaction_date <= $1 at time zone 'UTC'
               and greatest(known_at, amended_at) <= $1)
        ),
        greatest(
            (select max(recognised_on) from partner_cost
             where kind = 'product' and recognised_on <= $1 at time zone 'UTC'
               and greatest(known_at, amended_at) <= $1),
            (select max(recognised_on) from superseded.partner_cost
             where superseded_at > $1 and kind = 'product' and recognised_on <= $1 at time zone 'UTC'
               and greatest(known_at, amended_at) <= $1)
        )
    ) as day
    -- Otherwise each use of the day reads it anew.
    offset 0
) as reached
