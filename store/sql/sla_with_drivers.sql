-- Each partner's reading beside the leads that stand behind a breach of their group, and the place of each among those;
-- and what the checks of the data want to know of the partner's leads (told, alike). Follows lead_tallies.sql,
-- lead_states.sql, lead_readings.sql and lead_ranks.sql; $6 how many rows of a group at most.
select reading.*, behind.lead_ids, behind.due_ats, behind.states, behind.ranks,
       t.told_at,
       case when not source.several then source.first when t.first_source = t.last_source then t.first_source end as told_by,
       t.alike
from reading
cross join source
left join tally t using (partner_id)
left join (
    select group_no, partner_id, array_agg(lead_id order by rank) as lead_ids, array_agg(due_at order by rank) as due_ats,
           array_agg(state order by rank) as states, array_agg(rank order by rank) as ranks
    from ranked
    where rank <= $6::int
    group by group_no, partner_id
) as behind using (group_no, partner_id)
order by reading.group_no, reading.partner_id
