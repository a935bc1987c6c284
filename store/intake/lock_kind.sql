-- Imports into one table go one after the other, until the transaction ends. $1 table.
select pg_advisory_xact_lock(hashtext('rollouts data import'), hashtext($1))
