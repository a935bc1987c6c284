-- How far revenue reaches, as of $1. A business date is covered to its end, but never beyond the moment asked for.
select case when reached.day is not null
            then least((reached.day + 1)::timestamp at time zone 'UTC', $1::timestamptz) end
from (
    select greatest(
        (select max(transaction_date) from partner_transaction
         where transaction_date <= $1 at time zone 'UTC' and greatest(known_at, amended_at) <= $1),
        (select max(transaction_date) from superseded.partner_transaction
         where superseded_at > $1 and transaction_date <= $1 at time zone 'UTC'
           and greatest(known_at, amended_at) <= $1)
    ) as day
) as reached
