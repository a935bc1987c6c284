-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql. Pending, excluded and invalid leads are counted beside it, so that nobody can
-- improve the number unseen by excluding leads, or by writing contacts down days later. Parts named contact_* are
-- the whole group's: hours from assignment to first contact of the leads contacted.
, counted as (
    select
        partner_id,
        count(*) filter (where state = 'met') as met,
        count(*) filter (where state = 'late') as late,
        count(*) filter (where state = 'open_breach') as open_breach,
        count(*) filter (where state = 'pending') as pending,
        count(*) filter (where state = 'invalid') as invalid,
        count(*) filter (where state = 'excluded_no_sla') as excluded_no_sla,
        count(*) filter (where state = 'excluded_reassigned') as excluded_reassigned,
        count(*) filter (where state = 'excluded_rejected') as excluded_rejected,
        count(*) filter (where state = 'excluded_recalled') as excluded_recalled,
        count(*) filter (where state = 'excluded_duplicate') as excluded_duplicate,
        count(*) filter (where state = 'excluded_junk') as excluded_junk,
        count(*) filter (where excluded_after_due) as excluded_after_due,
        count(*) filter (where state = 'met' and backdated) as met_backdated,
        array_agg(contact_hours) filter (where state in ('met', 'late')) as contact_hours
    from lead_state
    group by partner_id
),
contact as (
    select
        m.group_no,
        percentile_cont(array[0.5, 0.9]) within group (order by taken.hours) as hours
    from member m
    join counted c using (partner_id)
    cross join unnest(c.contact_hours) as taken (hours)
    group by m.group_no
)
select
    m.group_no,
    c.partner_id,
    c.met::float8 as numerator,
    (c.met + c.late + c.open_breach)::float8 as denominator,
    c.met + c.late + c.open_breach as facts,
    c.met,
    c.late,
    c.open_breach,
    c.pending,
    c.invalid,
    c.excluded_no_sla,
    c.excluded_reassigned,
    c.excluded_rejected,
    c.excluded_recalled,
    c.excluded_duplicate,
    c.excluded_junk,
    c.excluded_no_sla + c.excluded_reassigned + c.excluded_rejected + c.excluded_recalled + c.excluded_duplicate
        + c.excluded_junk as excluded,
    c.excluded_after_due,
    c.met_backdated,
    contact.hours[1] as contact_hours_median,
    contact.hours[2] as contact_hours_p90
from member m
join counted c using (partner_id)
left join contact using (group_no)
order by m.group_no, c.partner_id
