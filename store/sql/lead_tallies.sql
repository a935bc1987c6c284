-- The leads assigned to the partners in the window, each partner in one pass over them in the order of an index. Nearly
-- every lead was met in time and nothing else is said of it: those are counted here and nobody looks at them again; the
-- others, and what leads said before they were amended, are handed on one by one (other) to lead_states.sql, which
-- follows. $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of. A partner
-- may stand in several groups; a lead is one row all the same. Ends open, for a query to follow.
-- :told are the leads as they stand, :earlier whether what they said before is read beside them; store/metrics.py fills
-- them in.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
-- Leads of one partner with a name, an assignment and a contact in common stand for each other, whatever the source:
-- they took the same time.
timed as (
    select distinct on (partner_id, assigned_at, source_id, first_contact_at)
        partner_id, assigned_at, source_id, first_contact_at, business_minutes / 60 as hours
    from lead_contact_time
    where partner_id = any ($2::text[])
      and assigned_at >= $3::timestamptz
      and assigned_at < $4::timestamptz
      and stands_since <= $5::timestamptz
    order by partner_id, assigned_at, source_id, first_contact_at, stands_since desc
),
-- Of how many sources leads are at all: mostly of one, and then nobody needs to ask each lead.
source as (
    select min(source_system) as first, max(source_system) as last, min(source_system) <> max(source_system) as several
    from lead
),
tally as (
    select
        partner_id,
        count(*) filter (where contact_due_at >= $5 and plain) as met_early,
        -- Of each that was met. Lists, because percentiles are the whole group's.
        array_agg(date_part('epoch', first_contact_at - assigned_at)) filter (where plain) as contact_seconds,
        -- To be looked up among what took business time; of partners without a calendar there is nothing.
        array_agg(row(source_id, assigned_at, first_contact_at))
            filter (where (select exists (select from timed)) and plain) as contacted,
        array_agg(
            row(source_id, assigned_at, contact_due_at, first_contact_at, first_contact_known_at, reassigned_at,
                reassigned_known_at, rejected_at, rejected_known_at, excluded_at, excluded_known_at, excluded_reason,
                known_at)
        ) filter (where not plain and (amended_at is null or amended_at <= $5)) as others,
        -- For the checks of the data: of which day the newest lead is, from which sources leads came, and whether some
        -- were assigned at the same instant. Of leads as they stand, amended since the moment or not.
        max(assigned_at) as told_at,
        min(source_system) filter (where (select several from source)) as first_source,
        max(source_system) filter (where (select several from source)) as last_source,
        count(*) > count(distinct assigned_at) as alike
    from (
        select
            l.partner_id, l.source_system, l.source_id, l.assigned_at, l.contact_due_at, l.first_contact_at,
            l.first_contact_known_at, l.reassigned_at, l.reassigned_known_at, l.rejected_at, l.rejected_known_at,
            l.excluded_at, l.excluded_known_at, l.excluded_reason, l.known_at, l.amended_at,
            -- Met, as lead_states.sql says it, and not backdated. As migration 0028 has it, so that the index says it.
            coalesce(
                case
                    when l.first_contact_at >= l.assigned_at and l.first_contact_at <= l.contact_due_at
                         and l.excluded_at is null and l.reassigned_at is null
                         and (l.first_contact_known_at is null or l.first_contact_known_at <= l.known_at
                              or l.first_contact_known_at - l.first_contact_at <= interval '72 hours')
                    then greatest(l.first_contact_at, l.first_contact_known_at, l.known_at, l.amended_at)
                end <= $5,
                false
            ) as plain
        from :told l
        where l.partner_id = any ($2::text[])
          and l.assigned_at >= $3::timestamptz
          and l.assigned_at < $4::timestamptz
          and l.assigned_at <= $5
          and l.known_at <= $5
        -- As the index has them. And without an order each count works out anew whether a lead is one of them.
        order by l.partner_id, l.assigned_at
    ) as known
    group by partner_id
),
other as (
    select t.partner_id, o.*
    from tally t
    cross join unnest(t.others) as o (
        source_id text, assigned_at timestamptz, contact_due_at timestamptz, first_contact_at timestamptz,
        first_contact_known_at timestamptz, reassigned_at timestamptz, reassigned_known_at timestamptz,
        rejected_at timestamptz, rejected_known_at timestamptz, excluded_at timestamptz, excluded_known_at timestamptz,
        excluded_reason text, known_at timestamptz
    )
    union all
    select partner_id, source_id, assigned_at, contact_due_at, first_contact_at, first_contact_known_at, reassigned_at,
           reassigned_known_at, rejected_at, rejected_known_at, excluded_at, excluded_known_at, excluded_reason, known_at
    from superseded.lead
    where partner_id = any ($2::text[])
      and assigned_at >= $3
      and assigned_at < $4
      and assigned_at <= $5
      and known_at <= $5
      and (amended_at is null or amended_at <= $5)
      and superseded_at > $5
      and :earlier
),
