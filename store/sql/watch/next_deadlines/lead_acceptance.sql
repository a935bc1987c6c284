-- For each group of partners the first deadline of acceptance of a lead that nobody has answered, after a moment of the
-- group's own. Found among the leads that nobody has contacted, by lead_open_deadline alone: of those that
-- have had an answer, or whose deadline has passed, no row is read.
-- $1 group numbers and $2 partner ids, side by side; $3 the groups' moments, from the first group on.
select asked.group_no, min(lead.due_at) as due_at
from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
cross join lateral (
    select min(accept_due_at) as due_at
    from lead
    where partner_id = asked.partner_id and accept_due_at >= ($3::timestamptz[])[asked.group_no + 1]
      and first_contact_at is null and reassigned_at is null and excluded_at is null
      and accepted_at is null and rejected_at is null
) as lead
where lead.due_at is not null
group by asked.group_no
