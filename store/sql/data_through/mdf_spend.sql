-- The latest thing known to have happened to any MDF request or claim, as of $1.
select greatest(
    (select max(submitted_at) from mdf_request
     where submitted_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(decided_at) from mdf_request
     where decided_at <= $1 and greatest(decided_at, decided_known_at, known_at, amended_at) <= $1),
    (select max(released_at) from mdf_request
     where released_at <= $1 and greatest(released_at, released_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        submitted_at,
        case when greatest(decided_at, decided_known_at) <= $1 then decided_at end,
        case when greatest(released_at, released_known_at) <= $1 then released_at end
     )) from superseded.mdf_request
     where superseded_at > $1 and submitted_at <= $1 and greatest(known_at, amended_at) <= $1),
    (select max(submitted_at) from mdf_claim
     where submitted_at <= $1 and greatest(known_at, amended_at) <= $1),
    (select max(decided_at) from mdf_claim
     where decided_at <= $1 and greatest(decided_at, decided_known_at, known_at, amended_at) <= $1),
    (select max(paid_at) from mdf_claim
     where paid_at <= $1 and greatest(paid_at, paid_known_at, known_at, amended_at) <= $1),
    (select max(withdrawn_at) from mdf_claim
     where withdrawn_at <= $1 and greatest(withdrawn_at, withdrawn_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        submitted_at,
        case when greatest(decided_at, decided_known_at) <= $1 then decided_at end,
        case when greatest(paid_at, paid_known_at) <= $1 then paid_at end,
        case when greatest(withdrawn_at, withdrawn_known_at) <= $1 then withdrawn_at end
     )) from superseded.mdf_claim
     where superseded_at > $1 and submitted_at <= $1 and greatest(known_at, amended_at) <= $1)
)
