-- For each group of partners the first deadline of an open lead after a moment of the group's own.
-- $1 group numbers and $2 partner ids, side by side; $3 the groups' moments, from the first group on.
select asked.group_no, min(lead.due_at) as due_at
from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
cross join lateral (
    select min(contact_due_at) as due_at
    from lead
    where partner_id = asked.partner_id and contact_due_at >= ($3::timestamptz[])[asked.group_no + 1]
      and first_contact_at is null and reassigned_at is null and excluded_at is null
) as lead
where lead.due_at is not null
group by asked.group_no
