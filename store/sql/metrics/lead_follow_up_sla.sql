-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql. Pending, excluded and invalid leads are counted beside it, so that nobody can
-- improve the number unseen by excluding leads.
, counted as (
    select partner_id, state, count(*) as leads, count(*) filter (where excluded_after_due) as after_due
    from lead_state
    group by partner_id, state
),
pivoted as (
    select
        partner_id,
        coalesce(sum(leads) filter (where state in ('met', 'late', 'open_breach')), 0) as decided,
        coalesce(sum(leads) filter (where starts_with(state, 'excluded')), 0) as excluded,
        sum(after_due) as excluded_after_due,
        jsonb_object_agg(state, leads) as by_state
    from counted
    group by partner_id
)
select
    partner_id,
    coalesce((by_state ->> 'met')::float8, 0) as numerator,
    decided::float8 as denominator,
    decided::bigint as facts,
    jsonb_build_object(
        'met', 0, 'late', 0, 'open_breach', 0, 'pending', 0, 'invalid', 0, 'excluded_no_sla', 0,
        'excluded_reassigned', 0, 'excluded_recalled', 0, 'excluded_duplicate', 0, 'excluded_junk', 0,
        'excluded', excluded, 'excluded_after_due', excluded_after_due
    ) || by_state as parts
from pivoted
order by partner_id
