-- Partners of whom a lead said something else at a moment, $1, than it says now, or says it of them only now. That there
-- is an end to when leads were corrected is said so that few are expected.
with corrected as materialized (
    select source_system, source_id, partner_id from superseded.lead
    where superseded_at > $1::timestamptz and superseded_at <= 'infinity'
)
select partner_id from corrected
union
select now.partner_id
from corrected c
cross join lateral (
    select l.partner_id from lead l where l.source_system = c.source_system and l.source_id = c.source_id offset 0
) as now
