-- Each partner's reading beside the leads that stand behind a breach of their group, and the place of each among those.
-- Follows lead_states.sql and lead_readings.sql, whose tally lists late leads and open breaches already; $6 how many rows
-- of a group at most. Who comes first, and how many of a partner, is as lead_drivers.sql says.
, breach as (
    select
        partner_id, lead_id, due_at, state,
        count(*) over (partition by partner_id) as breaches,
        row_number() over (partition by partner_id order by state = 'open_breach' desc, due_at, lead_id) as place
    from (
        select partner_id, unnest(lead_ids) as lead_id, unnest(due_ats) as due_at, unnest(states) as state
        from tally
        where lead_ids is not null
    ) as listed
),
ranked as (
    select
        group_no, partner_id, lead_id, due_at, state,
        row_number() over (partition by group_no order by breaches desc, partner_id, place) as rank
    from member
    join breach using (partner_id)
    where place <= 5
)
select reading.*, behind.lead_ids, behind.due_ats, behind.states, behind.ranks
from reading
left join (
    select group_no, partner_id, array_agg(lead_id order by rank) as lead_ids, array_agg(due_at order by rank) as due_ats,
           array_agg(state order by rank) as states, array_agg(rank order by rank) as ranks
    from ranked
    where rank <= $6::int
    group by group_no, partner_id
) as behind using (group_no, partner_id)
order by reading.group_no, reading.partner_id
