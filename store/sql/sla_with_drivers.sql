-- Each partner's reading beside the leads that stand behind a breach of their group, and the place of each among those;
-- and what the checks of the data want to know of the partner's leads (told, alike). Follows lead_tallies.sql,
-- lead_states.sql, lead_readings.sql and lead_ranks.sql; $6 how many rows of a group at most. Of whom a lead was corrected
-- since the moment that is not said (told_by is NULL, alike true), because it is told of leads as they stand.
, corrected as materialized (
    select source_system, source_id, partner_id from superseded.lead where superseded_at > $5 and superseded_at <= 'infinity'
),
unsettled as materialized (
    select partner_id from corrected
    union
    select now.partner_id
    from corrected c
    cross join lateral (
        select l.partner_id from lead l where (l.source_system, l.source_id) = (c.source_system, c.source_id) offset 0
    ) as now
)
select reading.*, behind.lead_ids, behind.due_ats, behind.states, behind.ranks,
       t.told_at,
       case when reading.partner_id in (select partner_id from unsettled) then null
            when not source.several then source.first
            when t.first_source = t.last_source then t.first_source end as told_by,
       t.alike or reading.partner_id in (select partner_id from unsettled) as alike
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
