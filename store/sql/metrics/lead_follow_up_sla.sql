-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql. Pending, excluded and invalid leads are counted beside it, so that nobody can
-- improve the number unseen by excluding leads.
select
    partner_id,
    count(*) filter (where state = 'met')::float8 as numerator,
    count(*) filter (where state in ('met', 'late', 'open_breach'))::float8 as denominator,
    count(*) filter (where state in ('met', 'late', 'open_breach')) as facts,
    jsonb_build_object(
        'met', count(*) filter (where state = 'met'),
        'late', count(*) filter (where state = 'late'),
        'open_breach', count(*) filter (where state = 'open_breach'),
        'pending', count(*) filter (where state = 'pending'),
        'invalid', count(*) filter (where state = 'invalid'),
        'excluded', count(*) filter (where starts_with(state, 'excluded')),
        'excluded_no_sla', count(*) filter (where state = 'excluded_no_sla'),
        'excluded_reassigned', count(*) filter (where state = 'excluded_reassigned'),
        'excluded_recalled', count(*) filter (where state = 'excluded_recalled'),
        'excluded_duplicate', count(*) filter (where state = 'excluded_duplicate'),
        'excluded_junk', count(*) filter (where state = 'excluded_junk'),
        'excluded_after_due', count(*) filter (where excluded_after_due)
    ) as parts
from lead_state
group by partner_id
order by partner_id
