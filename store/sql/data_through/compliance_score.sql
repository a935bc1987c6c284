-- The latest compliance result known as of $1. What was amended since stands in superseded; each part by itself,
-- because the newest of a table is found by its index and the newest of a union is not.
select greatest(
    (select max(assessed_at) from compliance_result
     where assessed_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(assessed_at) from superseded.compliance_result
     where superseded_at > $1 and assessed_at <= $1 and greatest(known_at, amended_at) <= $1)
)
