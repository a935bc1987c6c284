-- The latest assignment or completion known as of $1.
select greatest(
    (select max(assigned_at) from enablement_assignment where assigned_at <= $1::timestamptz and known_at <= $1),
    (select max(completed_at) from enablement_assignment
     where completed_at <= $1 and greatest(completed_at, completed_known_at, known_at) <= $1)
)
