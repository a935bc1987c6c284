-- The state of each lead as docs/metrics.md says it, for the statements that what store/metrics.py reads is compared with:
-- DuckDB's beside this file, and tests/store/sla_reference.sql.
-- One row per lead assigned to the partners in the window, with its state as of the moment asked for.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of. A partner may
-- stand in several groups; a lead is one row all the same. Ends open, for a query to follow.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
lead_state as (
    select
        l.partner_id,
        l.source_id as lead_id,
        l.assigned_at,
        l.contact_due_at as due_at,
        case
            when seen.excluded then 'excluded_' || l.excluded_reason
            when l.contact_due_at is null then 'excluded_no_sla'
            when seen.contact_at < l.assigned_at then 'invalid'
            when seen.contact_at <= l.contact_due_at then 'met'
            when seen.contact_at is not null then 'late'
            -- Taken away within the deadline releases the first partner; after it, the breach stays theirs.
            when seen.reassigned_at <= l.contact_due_at then 'excluded_reassigned'
            -- Turned down in time it waits for the vendor, not for the partner; after the deadline that is no way out.
            when l.rejected_at <= l.contact_due_at and greatest(l.rejected_at, l.rejected_known_at) <= $5
            then 'excluded_rejected'
            when l.contact_due_at < $5 then 'open_breach'
            else 'pending'
        end as state,
        seen.excluded and l.excluded_at > l.contact_due_at as excluded_after_due,
        seen.contact_at,
        date_part('epoch', seen.contact_at - l.assigned_at) as contact_seconds,
        -- The lead was known without a contact, and then one turned up that was days old.
        coalesce(l.first_contact_known_at > greatest(l.first_contact_at + interval '72 hours', l.known_at), false)
            as backdated,
        l.contact_due_at >= $5 as early,
        -- A contact in time may still become known: feeds bring the day before.
        l.contact_due_at < $5 and l.contact_due_at >= $5 - interval '1 day' as recent
    from lead_as_of($5::timestamptz) l
    cross join lateral (
        select
            case when greatest(l.reassigned_at, l.reassigned_known_at) <= $5 then l.reassigned_at end
                as reassigned_at,
            coalesce(greatest(l.excluded_at, l.excluded_known_at) <= $5, false) as excluded
    ) as change
    cross join lateral (
        select
            change.reassigned_at,
            change.excluded,
            -- A contact after the lead was taken away is not this partner's.
            case
                when greatest(l.first_contact_at, l.first_contact_known_at) <= $5
                     and (change.reassigned_at is null or l.first_contact_at <= change.reassigned_at)
                then l.first_contact_at
            end as contact_at
    ) as seen
    where l.partner_id = any ($2::text[])
      and l.assigned_at >= $3::timestamptz
      and l.assigned_at < $4::timestamptz
      and l.assigned_at <= $5
    -- Otherwise each count of a state works the state out anew.
    offset 0
)
