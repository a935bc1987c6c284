-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql. Pending, excluded and invalid leads are counted beside it, so that nobody can
-- improve the number unseen by excluding leads, or by writing contacts down days later. So are the leads of which
-- the other half is not known yet: met before their deadline, while those not met before it are pending; and breaches
-- so recent that a contact may still become known. Parts named contact_* are the whole group's: hours from assignment to
-- first contact of the leads contacted; of those of partners with a calendar, also opening hours without pauses.
-- Leads of one partner with a name, an assignment and a contact in common stand for each other, whatever the source:
-- they took the same time.
, timed as (
    select distinct on (partner_id, assigned_at, source_id, first_contact_at)
        partner_id, assigned_at, source_id, first_contact_at, business_minutes / 60 as hours
    from lead_contact_time
    where partner_id = any ($2::text[])
      and assigned_at >= $3::timestamptz
      and assigned_at < $4::timestamptz
      and stands_since <= $5::timestamptz
    order by partner_id, assigned_at, source_id, first_contact_at, stands_since desc
),
tally as (
    select
        s.partner_id, s.state, s.excluded_after_due, s.backdated, s.early, s.recent,
        count(*) as leads, array_agg(s.contact_hours) as contact_hours, array_agg(timed.hours) as business_hours
    from lead_state s
    left join timed
        on timed.partner_id = s.partner_id and timed.assigned_at = s.assigned_at and timed.source_id = s.lead_id
        and timed.first_contact_at = s.contact_at
    group by s.partner_id, s.state, s.excluded_after_due, s.backdated, s.early, s.recent
),
counted as (
    select
        partner_id,
        coalesce(sum(leads) filter (where state = 'met'), 0)::bigint as met,
        coalesce(sum(leads) filter (where state = 'late'), 0)::bigint as late,
        coalesce(sum(leads) filter (where state = 'open_breach'), 0)::bigint as open_breach,
        coalesce(sum(leads) filter (where state = 'pending'), 0)::bigint as pending,
        coalesce(sum(leads) filter (where state = 'invalid'), 0)::bigint as invalid,
        coalesce(sum(leads) filter (where state = 'excluded_no_sla'), 0)::bigint as excluded_no_sla,
        coalesce(sum(leads) filter (where state = 'excluded_reassigned'), 0)::bigint as excluded_reassigned,
        coalesce(sum(leads) filter (where state = 'excluded_rejected'), 0)::bigint as excluded_rejected,
        coalesce(sum(leads) filter (where state = 'excluded_recalled'), 0)::bigint as excluded_recalled,
        coalesce(sum(leads) filter (where state = 'excluded_duplicate'), 0)::bigint as excluded_duplicate,
        coalesce(sum(leads) filter (where state = 'excluded_junk'), 0)::bigint as excluded_junk,
        coalesce(sum(leads) filter (where excluded_after_due), 0)::bigint as excluded_after_due,
        coalesce(sum(leads) filter (where state = 'met' and backdated), 0)::bigint as met_backdated,
        coalesce(sum(leads) filter (where state = 'met' and early), 0)::bigint as met_early,
        coalesce(sum(leads) filter (where state = 'open_breach' and recent), 0)::bigint as open_breach_recent
    from tally
    group by partner_id
),
contact as (
    select
        m.group_no,
        percentile_cont(array[0.5, 0.9]) within group (order by taken.hours) as hours,
        percentile_cont(array[0.5, 0.9]) within group (order by taken.business_hours) as business_hours
    from member m
    join tally t using (partner_id)
    cross join unnest(t.contact_hours, t.business_hours) as taken (hours, business_hours)
    where t.state in ('met', 'late')
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
    c.met_early,
    c.open_breach_recent,
    contact.hours[1] as contact_hours_median,
    contact.hours[2] as contact_hours_p90,
    contact.business_hours[1] as contact_business_hours_median,
    contact.business_hours[2] as contact_business_hours_p90
from member m
join counted c using (partner_id)
left join contact using (group_no)
order by m.group_no, c.partner_id
