-- The leads behind a breached SLA, and the place of each among those of a group. Follows lead_readings.sql, and ends open.
-- The partner with most breaches comes first, five leads each at most, so that one partner cannot hide the rest.
, breach as (
    select
        partner_id, lead_id, due_at, state,
        count(*) over (partition by partner_id) as breaches,
        row_number() over (partition by partner_id order by state = 'open_breach' desc, due_at, lead_id) as place
    from lead_state
    where state in ('late', 'open_breach')
),
ranked as (
    select
        group_no, partner_id, lead_id, due_at, state,
        row_number() over (partition by group_no order by breaches desc, partner_id, place) as rank
    from member
    join breach using (partner_id)
    where place <= 5
)
