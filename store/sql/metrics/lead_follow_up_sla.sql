-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql. Pending, excluded and invalid leads are counted beside it, so that nobody can
-- improve the number unseen by excluding leads, or by writing contacts down days later. Parts named contact_* are
-- the whole group's: hours from assignment to first contact of the leads contacted.
, counted as (
    select
        partner_id, state, count(*) as leads,
        count(*) filter (where excluded_after_due) as after_due,
        count(*) filter (where state = 'met' and backdated) as met_backdated
    from lead_state
    group by partner_id, state
),
pivoted as (
    select
        partner_id,
        coalesce(sum(leads) filter (where state in ('met', 'late', 'open_breach')), 0) as decided,
        coalesce(sum(leads) filter (where starts_with(state, 'excluded')), 0) as excluded,
        sum(after_due) as excluded_after_due,
        sum(met_backdated) as met_backdated,
        jsonb_object_agg(state, leads) as by_state
    from counted
    group by partner_id
),
contact as (
    select
        percentile_cont(0.5) within group (order by contact_hours) as median,
        percentile_cont(0.9) within group (order by contact_hours) as p90
    from lead_state
    where state in ('met', 'late')
)
select
    partner_id,
    coalesce((by_state ->> 'met')::float8, 0) as numerator,
    decided::float8 as denominator,
    decided::bigint as facts,
    jsonb_strip_nulls(jsonb_build_object(
        'met', 0, 'late', 0, 'open_breach', 0, 'pending', 0, 'invalid', 0, 'excluded_no_sla', 0,
        'excluded_reassigned', 0, 'excluded_recalled', 0, 'excluded_duplicate', 0, 'excluded_junk', 0,
        'excluded', excluded, 'excluded_after_due', excluded_after_due, 'met_backdated', met_backdated,
        'contact_hours_median', contact.median, 'contact_hours_p90', contact.p90
    )) || by_state as parts
from pivoted
cross join contact
order by partner_id
