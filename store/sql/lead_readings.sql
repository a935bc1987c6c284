-- What is counted of the leads of lead_tallies.sql and lead_states.sql, which it follows: each partner's others (counted),
-- the hours a whole group takes until first contact (contact), and the rows of the metric (reading). Ends open, as they do.
counted as (
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
        count(*) filter (where state = 'met' and early) as met_early,
        count(*) filter (where state = 'open_breach' and recent) as open_breach_recent
    from lead_state
    group by partner_id
),
-- Sorted by themselves, without the group beside them: numbers alone are compared at a third of the time.
sorted as materialized (
    select group_no, (select array_agg(one order by one) from unnest(taken.seconds) as one) as seconds
    from (
        select group_no, array_agg(seconds) as seconds
        from (
            select m.group_no, unnest(t.contact_seconds) as seconds
            from member m
            join tally t using (partner_id)
            where t.contact_seconds is not null
            union all
            select m.group_no, s.contact_seconds
            from member m
            join lead_state s using (partner_id)
            where s.state in ('met', 'late')
        ) as of_all
        group by group_no
    ) as taken
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
        select t.partner_id, c.lead_id, c.assigned_at, c.contact_at
        from tally t
        cross join unnest(t.contacted) as c (lead_id text, assigned_at timestamptz, contact_at timestamptz)
        union all
        select partner_id, lead_id, assigned_at, contact_at
        from lead_state
        where state in ('met', 'late')
    ) as contacted
    join timed
        on timed.partner_id = contacted.partner_id and timed.assigned_at = contacted.assigned_at
        and timed.source_id = contacted.lead_id and timed.first_contact_at = contacted.contact_at
    join member m on m.partner_id = contacted.partner_id
    where timed.hours is not null
    group by group_no
),
reading as (
    select
        m.group_no,
        m.partner_id,
        all_of.met::float8 as numerator,
        (all_of.met + all_of.late + all_of.open_breach)::float8 as denominator,
        all_of.met + all_of.late + all_of.open_breach as facts,
        all_of.met,
        all_of.late,
        all_of.open_breach,
        coalesce(c.pending, 0) as pending,
        coalesce(c.invalid, 0) as invalid,
        coalesce(c.excluded_no_sla, 0) as excluded_no_sla,
        coalesce(c.excluded_reassigned, 0) as excluded_reassigned,
        coalesce(c.excluded_rejected, 0) as excluded_rejected,
        coalesce(c.excluded_recalled, 0) as excluded_recalled,
        coalesce(c.excluded_duplicate, 0) as excluded_duplicate,
        coalesce(c.excluded_junk, 0) as excluded_junk,
        coalesce(
            c.excluded_no_sla + c.excluded_reassigned + c.excluded_rejected + c.excluded_recalled + c.excluded_duplicate
                + c.excluded_junk,
            0
        ) as excluded,
        coalesce(c.excluded_after_due, 0) as excluded_after_due,
        coalesce(c.met_backdated, 0) as met_backdated,
        coalesce(t.met_early, 0) + coalesce(c.met_early, 0) as met_early,
        coalesce(c.open_breach_recent, 0) as open_breach_recent,
        contact.median as contact_hours_median,
        contact.p90 as contact_hours_p90,
        business.hours[1] as contact_business_hours_median,
        business.hours[2] as contact_business_hours_p90
    from member m
    left join tally t using (partner_id)
    left join counted c using (partner_id)
    left join contact using (group_no)
    left join business using (group_no)
    cross join lateral (
        select
            coalesce(cardinality(t.contact_seconds), 0) + coalesce(c.met, 0) as met,
            coalesce(c.late, 0) as late,
            coalesce(c.open_breach, 0) as open_breach
    ) as all_of
    -- Of some partners nothing was known yet as it stands now, and nothing before.
    where t.contact_seconds is not null or c.partner_id is not null
)
