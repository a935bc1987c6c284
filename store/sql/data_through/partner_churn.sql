-- How far the list of partners reaches, as of $1. It says nothing by itself of how current it is, and a quarter in
-- which nobody leaves is no stale one. So what counts is the latest row that became new or changed, and the latest
-- import of partners that took every row, because that confirms also what it leaves as it is.
select greatest(
    (select max(greatest(known_at, amended_at)) from partner_as_of($1::timestamptz)
     where greatest(known_at, amended_at) <= $1),
    (select max(imported_at) from intake_run
     where kind = 'partners' and outcome = 'taken' and rows_rejected = 0 and origin <> 'before the ledger'
       and imported_at <= $1)
)
