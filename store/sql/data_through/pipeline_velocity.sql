-- The latest thing known to have happened to any opportunity, as of $1.
select greatest(
    (select max(qualified_at) from opportunity where qualified_at <= $1::timestamptz and known_at <= $1),
    (select max(closed_at) from opportunity
     where closed_at <= $1 and greatest(closed_at, closed_known_at, known_at) <= $1),
    (select max(reopened_at) from opportunity_reopening
     where reopened_at <= $1 and greatest(reopened_at, reopened_known_at, known_at) <= $1)
)
