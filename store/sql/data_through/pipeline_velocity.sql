-- The latest thing known to have happened to any opportunity, as of $1.
select greatest(
    (select max(qualified_at) from opportunity
     where qualified_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(closed_at) from opportunity
     where closed_at <= $1 and greatest(closed_at, closed_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        case when qualified_at <= $1 then qualified_at end,
        case when greatest(closed_at, closed_known_at) <= $1 then closed_at end
     )) from superseded.opportunity
     where superseded_at > $1 and greatest(known_at, amended_at) <= $1),
    (select max(reopened_at) from opportunity_reopening_as_of($1)
     where greatest(reopened_at, reopened_known_at) <= $1)
)
