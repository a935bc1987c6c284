-- The latest assignment, completion, waiver or withdrawal known as of $1: whichever it is, the source told of it. That a
-- certificate lapses is nobody's word.
select greatest(
    (select max(assigned_at) from enablement_assignment
     where assigned_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(completed_at) from enablement_assignment
     where completed_at <= $1 and greatest(completed_at, completed_known_at, known_at, amended_at) <= $1),
    (select max(waived_at) from enablement_assignment
     where waived_at <= $1 and greatest(waived_at, waived_known_at, known_at, amended_at) <= $1),
    (select max(withdrawn_at) from enablement_assignment
     where withdrawn_at <= $1 and greatest(withdrawn_at, withdrawn_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        assigned_at,
        case when greatest(completed_at, completed_known_at) <= $1 then completed_at end,
        case when greatest(waived_at, waived_known_at) <= $1 then waived_at end,
        case when greatest(withdrawn_at, withdrawn_known_at) <= $1 then withdrawn_at end
     )) from superseded.enablement_assignment
     where superseded_at > $1 and assigned_at <= $1 and greatest(known_at, amended_at) <= $1)
)
