-- The SLA and the leads behind it, written for the eye rather than for speed: each lead's state, counted by state, and
-- percentiles of the hours themselves. What store/metrics.py reads is compared with it. Follows
-- bench/sql/scale/lead_states.sql.
, reading as (
with timed as (
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
        count(*) as leads, array_agg(extract(epoch from s.contact_at - s.assigned_at) / 3600) as contact_hours,
        array_agg(timed.hours) as business_hours
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

), driver as (
with breach as (
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
select group_no, partner_id, lead_id, due_at, state, rank
from ranked
where rank <= $6::int
order by group_no, rank

)
select reading.*, behind.lead_ids, behind.due_ats, behind.states, behind.ranks
from reading
left join (
    select group_no, partner_id, array_agg(lead_id order by rank) as lead_ids, array_agg(due_at order by rank) as due_ats,
           array_agg(state order by rank) as states, array_agg(rank order by rank) as ranks
    from driver
    group by group_no, partner_id
) as behind using (group_no, partner_id)
order by reading.group_no, reading.partner_id
