-- The latest thing known to have happened to any MDF request or claim, as of $1.
select greatest(
    (select max(greatest(
        submitted_at,
        case when greatest(decided_at, decided_known_at) <= $1 then decided_at end,
        case when greatest(released_at, released_known_at) <= $1 then released_at end
    )) from mdf_request where submitted_at <= $1::timestamptz and known_at <= $1),
    (select max(greatest(
        submitted_at,
        case when greatest(decided_at, decided_known_at) <= $1 then decided_at end,
        case when greatest(paid_at, paid_known_at) <= $1 then paid_at end
    )) from mdf_claim where submitted_at <= $1 and known_at <= $1)
)
