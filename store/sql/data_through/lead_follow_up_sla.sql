-- The latest lead assigned or contacted that was known as of $1.
select greatest(
    (select max(assigned_at) from lead where assigned_at <= $1::timestamptz and known_at <= $1),
    (select max(first_contact_at) from lead
     where first_contact_at <= $1 and greatest(first_contact_at, first_contact_known_at, known_at) <= $1)
)
