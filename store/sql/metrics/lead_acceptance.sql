-- Lead acceptance, percent: leads answered in time / (those + answered late + unanswered past the deadline of acceptance).
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of.
-- An answer is that the partner accepts the lead, turns it down, or contacts it: who calls without a word of acceptance
-- has accepted. The first of them counts. Numerator are those answered in time, facts the denominator. Pending, excluded
-- and invalid leads are counted beside it, so that nobody can improve the number unseen by excluding leads, or by writing
-- answers down days later. Parts named answer_* are the whole group's.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
lead_state as (
    select
        l.partner_id,
        case
            when change.excluded then 'excluded_' || l.excluded_reason
            when l.accept_due_at is null then 'excluded_no_sla'
            when seen.answered_at < l.assigned_at then 'invalid'
            when seen.answered_at <= l.accept_due_at then 'met'
            when seen.answered_at is not null then 'late'
            -- Taken away within the deadline releases the first partner; after it, the breach stays theirs.
            when change.reassigned_at <= l.accept_due_at then 'excluded_reassigned'
            when l.accept_due_at < $5 then 'open_breach'
            else 'pending'
        end as state,
        seen.answered_at - l.assigned_at as taken,
        change.excluded and l.excluded_at > l.accept_due_at as excluded_after_due,
        word.rejected_at is not null as rejected,
        l.rejected_reason is null as unexplained,
        coalesce(word.accepted_at, word.rejected_at) is null as contacted,
        -- The lead was known without an answer in time, and then one turned up that was days old.
        not coalesce(
            (word.accepted_at <= l.accept_due_at
             and coalesce(l.accepted_known_at <= greatest(l.accepted_at + interval '72 hours', l.known_at), true))
            or (word.rejected_at <= l.accept_due_at
                and coalesce(l.rejected_known_at <= greatest(l.rejected_at + interval '72 hours', l.known_at), true))
            or (word.contact_at <= l.accept_due_at
                and coalesce(
                    l.first_contact_known_at <= greatest(l.first_contact_at + interval '72 hours', l.known_at), true
                )),
            false
        ) as backdated,
        l.accept_due_at >= $5 as early,
        -- An answer in time may still become known: feeds bring the day before.
        l.accept_due_at >= $5 - interval '1 day' as recent
    from lead_as_of($5::timestamptz) l
    cross join lateral (
        select
            case when greatest(l.reassigned_at, l.reassigned_known_at) <= $5 then l.reassigned_at end
                as reassigned_at,
            coalesce(greatest(l.excluded_at, l.excluded_known_at) <= $5, false) as excluded
    ) as change
    cross join lateral (
        -- An answer after the lead was taken away is not this partner's.
        select
            case when greatest(l.accepted_at, l.accepted_known_at) <= $5
                      and coalesce(l.accepted_at <= change.reassigned_at, true)
                 then l.accepted_at end as accepted_at,
            case when greatest(l.rejected_at, l.rejected_known_at) <= $5
                      and coalesce(l.rejected_at <= change.reassigned_at, true)
                 then l.rejected_at end as rejected_at,
            case when greatest(l.first_contact_at, l.first_contact_known_at) <= $5
                      and coalesce(l.first_contact_at <= change.reassigned_at, true)
                 then l.first_contact_at end as contact_at
    ) as word
    cross join lateral (select least(word.accepted_at, word.rejected_at, word.contact_at) as answered_at) as seen
    where l.partner_id = any ($2)
      and l.assigned_at >= $3::timestamptz
      and l.assigned_at < $4::timestamptz
      and l.assigned_at <= $5
),
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
        count(*) filter (where state = 'excluded_recalled') as excluded_recalled,
        count(*) filter (where state = 'excluded_duplicate') as excluded_duplicate,
        count(*) filter (where state = 'excluded_junk') as excluded_junk,
        count(*) filter (where state like 'excluded%') as excluded,
        count(*) filter (where excluded_after_due) as excluded_after_due,
        count(*) filter (where state in ('met', 'late') and rejected) as rejected,
        count(*) filter (where state in ('met', 'late') and rejected and unexplained) as rejected_unexplained,
        count(*) filter (where state in ('met', 'late') and contacted) as contacted_unaccepted,
        count(*) filter (where state = 'met' and backdated) as met_backdated,
        count(*) filter (where state = 'met' and early) as met_early,
        count(*) filter (where state = 'open_breach' and recent) as open_breach_recent
    from lead_state
    group by partner_id
),
answer as (
    select group_no, percentile_cont(array[0.5, 0.9]) within group (order by extract(epoch from taken) / 3600) as hours
    from member
    join lead_state using (partner_id)
    where state in ('met', 'late')
    group by group_no
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
    c.excluded_recalled,
    c.excluded_duplicate,
    c.excluded_junk,
    c.excluded,
    c.excluded_after_due,
    c.rejected,
    c.rejected_unexplained,
    c.contacted_unaccepted,
    c.met_backdated,
    c.met_early,
    c.open_breach_recent,
    answer.hours[1] as answer_hours_median,
    answer.hours[2] as answer_hours_p90
from member m
join counted c using (partner_id)
left join answer using (group_no)
order by m.group_no, c.partner_id
