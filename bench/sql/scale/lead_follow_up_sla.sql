-- What store/metrics.py reads of the lead follow-up SLA, said more plainly: of arrays of rows, which PostgreSQL is quick
-- with, DuckDB has no like. It must find the same. Follows lead_states.sql beside it: each partner in one pass over those
-- (tally), the hours a whole group takes until first contact (contact), and the rows of the metric (reading).
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
        s.partner_id,
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
        count(*) filter (where state = 'met' and early) as met_early,
        count(*) filter (where state = 'open_breach' and recent) as open_breach_recent,
        -- Lists, because percentiles are the whole group's, and because who stands behind a breach is one of few.
        array_agg(s.contact_seconds) filter (where state in ('met', 'late')) as contact_seconds,
        array_agg(timed.hours) filter (where state in ('met', 'late') and timed.hours is not null) as business_hours,
        array_agg(s.lead_id) filter (where state in ('late', 'open_breach')) as lead_ids,
        array_agg(s.due_at) filter (where state in ('late', 'open_breach')) as due_ats,
        array_agg(s.state) filter (where state in ('late', 'open_breach')) as states
    from lead_state s
    left join timed
        on timed.partner_id = s.partner_id and timed.assigned_at = s.assigned_at and timed.source_id = s.lead_id
        and timed.first_contact_at = s.contact_at
    group by s.partner_id
),
-- Late leads and open breaches, for lead_ranks.sql.
listed as (
    select partner_id, unnest(lead_ids) as lead_id, unnest(due_ats) as due_at, unnest(states) as state
    from tally
    where lead_ids is not null
),
sorted as (
    select group_no, array_agg(seconds order by seconds) as seconds
    from (
        select m.group_no, unnest(t.contact_seconds) as seconds
        from member m
        join tally t using (partner_id)
        where t.contact_seconds is not null
    ) as taken
    group by group_no
),
-- As percentile_cont says it, of the hours, each the nearest number to the exact quotient: only those beside the places
-- of the percentiles are made hours of.
contact as (
    select
        group_no,
        sum(nearby.low + (place.at - floor(place.at)) * (nearby.high - nearby.low)) filter (where share = 0.5) as median,
        sum(nearby.low + (place.at - floor(place.at)) * (nearby.high - nearby.low)) filter (where share = 0.9) as p90
    from sorted
    cross join (values (0.5::float8), (0.9)) as asked (share)
    cross join lateral (select share * (cardinality(seconds) - 1) as at) as place
    cross join lateral (
        select
            (extract(epoch from seconds[floor(place.at)::int + 1] * interval '1 second') / 3600)::float8 as low,
            (extract(epoch from seconds[ceil(place.at)::int + 1] * interval '1 second') / 3600)::float8 as high
    ) as nearby
    group by group_no
),
business as (
    select
        group_no,
        percentile_cont(array[0.5, 0.9]) within group (order by hours) as hours
    from (
        select m.group_no, unnest(t.business_hours) as hours
        from member m
        join tally t using (partner_id)
        where t.business_hours is not null
    ) as taken
    group by group_no
),
reading as (
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
        contact.median as contact_hours_median,
        contact.p90 as contact_hours_p90,
        business.hours[1] as contact_business_hours_median,
        business.hours[2] as contact_business_hours_p90
    from member m
    join tally c using (partner_id)
    left join contact using (group_no)
    left join business using (group_no)
)
-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql and lead_readings.sql. Pending, excluded and invalid leads are counted beside it, so that nobody
-- can improve the number unseen by excluding leads, or by writing contacts down days later. So are the leads of which
-- the other half is not known yet: met before their deadline, while those not met before it are pending; and breaches
-- so recent that a contact may still become known. Parts named contact_* are the whole group's: hours from assignment to
-- first contact of the leads contacted; of those of partners with a calendar, also opening hours without pauses.
select * from reading order by group_no, partner_id
