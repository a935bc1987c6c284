-- Enablement completion, percent of assignments: completed and still valid / (due by the moment + completed early).
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window only picks the
-- assigned_in_window parts), $5 as of. An assignment not due yet is in neither sum unless completed early; waived, withdrawn and
-- assigned-after-due ones, and those of people or partners who have not begun, are out and counted. Facts are the assignments
-- in the denominator. Read in the order of an index, so that nothing is sorted and no table is read; whether somebody is
-- there is asked once a person. docs/decisions/0083 says what it saves.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
-- Last days are inclusive: over once they are before this one.
asked as (
    select ($5::timestamptz at time zone 'UTC')::date as today
),
seen as (
    select
        a.partner_id, a.person_id, a.course_id, a.assigned_at, a.source_id, a.passed, a.prior_credit,
        case when greatest(a.completed_at, a.completed_known_at) <= $5 then a.completed_at end as completed_at,
        case
            when a.completed_at is null or not a.passed then false
            when a.valid_until is not null then a.valid_until >= (select today from asked)
            -- A certificate that says nothing of its own is valid for as long as the course says. No course is looked up
            -- for what the one of fewest days would leave valid.
            when coalesce((a.completed_at at time zone 'UTC')::date + (
                select min(validity_days) from enablement_course_as_of($5)
            ) >= (select today from asked), true) then true
            -- In the version it names, or the last one that was in force when it was completed.
            else coalesce((a.completed_at at time zone 'UTC')::date + (
                select c.validity_days
                from enablement_course_as_of($5) c
                where c.course_id = a.course_id
                  and case when a.course_version is not null then c.version = a.course_version
                           else c.effective_from <= a.completed_at at time zone 'UTC' end
                order by c.version desc
                limit 1
            ) >= (select today from asked), true)
        end as valid,
        coalesce(greatest(a.waived_at, a.waived_known_at) <= $5, false) as waived,
        case when greatest(a.withdrawn_at, a.withdrawn_known_at) <= $5 then a.withdrawn_at end as withdrawn_at,
        -- The due date in force at the moment; the whole due day still counts as in time.
        (case
            when greatest(a.due_changed_at, a.due_changed_known_at) > $5 then a.previous_due_on
            else a.due_on
        end + 1)::timestamp at time zone 'UTC' as passes_at
    from enablement_assignment_in_order($5) a
    -- Said so that no index is searched by when: it would be, course by course, at several times the cost.
    where a.partner_id = any ($2) and (a.assigned_at <= $5) is true
    -- Here and below said again, or it is sorted once more; and a step of its own, or each use of a deadline or of a state
    -- works it out anew.
    order by partner_id, person_id, course_id, assigned_at desc, source_id desc
    offset 0
),
judged as (
    select
        partner_id, person_id, course_id, assigned_at, source_id, passed, prior_credit,
        completed_at is null as not_done,
        completed_at is not null and valid as completed,
        passes_at > $5 as early,
        completed_at < passes_at as on_time,
        -- Why it is left out, but for who has left or has not begun.
        case
            when assigned_at >= passes_at then 'assigned_after_due'
            when waived then 'waived'
            -- Withdrawn before it was due; later is too late to make an overdue assignment disappear.
            when withdrawn_at < passes_at then 'withdrawn'
            when passes_at > $5 and not (completed_at is not null and valid) then 'not_due'
        end as left_out
    from seen
    order by partner_id, person_id, course_id, assigned_at desc, source_id desc
    offset 0
),
-- Recertifying makes a new assignment: of one person's assignments of one course the last that counts stands.
standing as (
    select
        *,
        left_out is null and count(*) filter (where left_out is null) over (
            partition by partner_id, person_id, course_id
            order by assigned_at desc, source_id desc
            rows unbounded preceding
        ) = 1 as counts,
        assigned_at >= $3::timestamptz and assigned_at < $4::timestamptz as in_window
    from judged
),
-- By person, as if each were there: who is not has nothing that counts.
learner as materialized (
    select
        partner_id, person_id,
        count(*)::int as assigned,
        (count(*) filter (where counts))::int as counted,
        (count(*) filter (where counts and completed))::int as completed,
        (count(*) filter (where counts and early))::int as early,
        (count(*) filter (where counts and completed and on_time))::int as on_time,
        (count(*) filter (where counts and not_done))::int as overdue,
        (count(*) filter (where counts and not not_done and not passed))::int as failed,
        (count(*) filter (where counts and completed and prior_credit))::int as prior_credit,
        (count(*) filter (where left_out = 'not_due'))::int as not_due,
        (count(*) filter (where left_out = 'waived'))::int as waived,
        (count(*) filter (where left_out = 'withdrawn'))::int as withdrawn,
        (count(*) filter (where left_out = 'assigned_after_due'))::int as assigned_after_due,
        (count(*) filter (where counts and in_window))::int as assigned_in_window,
        (count(*) filter (where counts and in_window and completed))::int as completed_of_assigned_in_window
    from standing
    group by partner_id, person_id
),
-- A person may work for another partner than the one they were assigned for. Given as a list, because a join would not
-- reach the index behind a table as of a moment.
absent as (
    select person_id, active_to is not null and active_to <= today as has_left
    from person_as_of($5), asked
    where person_id = any (array(select person_id from learner)) and (active_to <= today or active_from > today)
),
closed as (
    select partner_id, active_to is not null and active_to <= today as has_left
    from partner_as_of($5), asked
    where partner_id = any ($2) and (active_to <= today or active_from > today)
),
present as (
    select
        l.*,
        person.has_left is null and partner.has_left is null as here,
        -- Whatever else is said of theirs: of who has left it is withdrawn, and to who has not begun it says nothing yet.
        person.has_left is true or partner.has_left is true as has_left
    from learner l
    left join absent person using (person_id)
    left join closed partner using (partner_id)
),
counted as (
    select
        partner_id,
        coalesce(sum(counted) filter (where here), 0) as counted,
        coalesce(sum(completed) filter (where here), 0) as completed,
        coalesce(sum(early) filter (where here), 0) as early,
        coalesce(sum(on_time) filter (where here), 0) as on_time,
        coalesce(sum(overdue) filter (where here), 0) as overdue,
        coalesce(sum(failed) filter (where here), 0) as failed,
        coalesce(sum(prior_credit) filter (where here), 0) as prior_credit,
        coalesce(sum(not_due) filter (where here), 0) as not_due,
        sum(waived) as waived,
        sum(case when has_left then assigned - assigned_after_due - waived else withdrawn end) as withdrawn,
        coalesce(
            sum(assigned - assigned_after_due - waived - withdrawn) filter (where not here and not has_left), 0
        ) as not_begun,
        sum(assigned_after_due) as assigned_after_due,
        coalesce(sum(assigned_in_window) filter (where here), 0) as assigned_in_window,
        coalesce(sum(completed_of_assigned_in_window) filter (where here), 0) as completed_of_assigned_in_window
    from present
    group by partner_id
)
select
    m.group_no,
    c.partner_id,
    c.completed::float8 as numerator,
    c.counted::float8 as denominator,
    c.counted as facts,
    -- What counts is due, or was completed before.
    c.counted - c.early as due,
    c.completed,
    c.early,
    c.on_time,
    c.overdue,
    c.counted - c.completed - c.overdue - c.failed as expired,
    c.failed,
    c.prior_credit,
    c.not_due,
    c.waived,
    c.withdrawn,
    c.not_begun,
    c.assigned_after_due,
    c.assigned_in_window,
    c.completed_of_assigned_in_window
from member m
join counted c using (partner_id)
order by m.group_no, c.partner_id
