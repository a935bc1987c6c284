-- Leads for which no deadline can be reckoned are bad rows. $1 lines, $2 why.
with bad as (
    delete from intake_staged s
    using unnest($1::bigint[], $2::text[]) as b (line, problem)
    where s.line = b.line
    returning s.line, s.assigned_at, b.problem
)
insert into intake_rejected (line, field, reason)
select line, 'assigned_at', format('found %s; no deadline can be reckoned: %s', assigned_at, problem) from bad
