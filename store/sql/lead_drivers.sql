-- The leads behind a breached SLA. Follows lead_states.sql; $5 how many rows at most.
-- The partner with most breaches comes first, five leads each at most, so that one partner cannot hide the rest.
select partner_id, lead_id, due_at, state
from (
    select
        partner_id, lead_id, due_at, state,
        count(*) over (partition by partner_id) as breaches,
        row_number() over (partition by partner_id order by state = 'open_breach' desc, due_at, lead_id) as place
    from lead_state
    where state in ('late', 'open_breach')
) as breach
where place <= 5
order by breaches desc, partner_id, place
limit $5::int
