-- For each group of partners how many open leads of the window are due from the group's moment until the partner's, when
-- the first of them is, and whose they are, the partner with most of them first.
-- $1 group numbers, $2 partner ids and $3 the partners' moments, side by side; $4 window starts and $5 the groups'
-- moments, from the first group on. :open are the leads of the metric that asks, with its deadline, which store/changes.py
-- fills in from due/.
select asked.group_no, sum(lead.leads)::bigint as leads, min(lead.due_at) as first_due_at,
       (array_agg(asked.partner_id order by lead.leads desc, asked.partner_id))[:5] as partners
from unnest($1::int[], $2::text[], $3::timestamptz[]) as asked (group_no, partner_id, until)
cross join lateral (
    select count(*) as leads, min(due_at) as due_at
    from (
        select due_at, assigned_at, known_at, amended_at
        from (
:open
        ) as unanswered
        where partner_id = asked.partner_id
          and due_at >= ($5::timestamptz[])[asked.group_no + 1]
          and due_at < asked.until
        -- Whatever else is asked comes later: the few that are due are found by lead_open_deadline, not among all of the
        -- window.
        offset 0
    ) as open
    where assigned_at >= ($4::timestamptz[])[asked.group_no + 1]
      and assigned_at <= ($5::timestamptz[])[asked.group_no + 1]
      and greatest(known_at, amended_at) <= ($5::timestamptz[])[asked.group_no + 1]
) as lead
where lead.leads > 0
group by asked.group_no
