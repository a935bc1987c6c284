-- The latest lead assigned or contacted that was known as of $1: the same source tells of both. An acceptance may be of
-- later; to look for that would be to look at every lead, and none that is missing makes the number better.
select greatest(
    (select max(assigned_at) from lead
     where assigned_at <= $1::timestamptz and greatest(known_at, amended_at) <= $1),
    (select max(first_contact_at) from lead
     where first_contact_at <= $1
       and greatest(first_contact_at, first_contact_known_at, known_at, amended_at) <= $1),
    (select max(greatest(
        assigned_at, case when greatest(first_contact_at, first_contact_known_at) <= $1 then first_contact_at end
     )) from superseded.lead
     where superseded_at > $1 and assigned_at <= $1 and greatest(known_at, amended_at) <= $1)
)
