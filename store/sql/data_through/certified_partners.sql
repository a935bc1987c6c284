-- The latest assignment or completion known as of $1.
select greatest(
    (select max(assigned_at) from enablement_assignment
     where assigned_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(completed_at) from enablement_assignment
     where completed_at <= $1 and greatest(completed_at, completed_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        assigned_at, case when greatest(completed_at, completed_known_at) <= $1 then completed_at end
     )) from superseded.enablement_assignment
     where superseded_at > $1 and assigned_at <= $1 and greatest(known_at, amended_at) <= $1)
)
