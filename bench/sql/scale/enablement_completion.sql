-- Enablement completion as DuckDB is asked, without what only PostgreSQL gains by; what the product reads is compared with
-- it (tests/store/test_plainer_statements.py).
-- Enablement completion, percent of assignments: completed and still valid / (due by the moment + completed early).
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window only picks the
-- assigned_in_window parts), $5 as of. An assignment not due yet is in neither sum unless completed early; waived, withdrawn and
-- assigned-after-due ones, and those of people or partners who have not begun, are out and counted. Facts are the assignments in the denominator.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
asked as (
    select $5::timestamptz at time zone 'UTC' as moment
),
assigned as materialized (
    select *
    from enablement_assignment_as_of($5::timestamptz)
    where partner_id = any ($2) and assigned_at <= $5
),
-- A person may work for another partner than the one they were assigned for. Given as a list, because a join would not
-- reach the index behind a table as of a moment.
staff as materialized (
    select person_id, active_from, active_to from person_as_of($5)
    where person_id = any (array(select distinct person_id from assigned))
),
-- The last version in force counts, so each is in force from its own day until the first of any later version.
course as materialized (
    select course_id, version, validity_days, effective_from,
           min(effective_from) over (
               partition by course_id order by version desc rows between unbounded preceding and 1 preceding
           ) as next_from
    from enablement_course_as_of($5)
),
seen as (
    select
        a.partner_id, a.person_id, a.course_id, a.assigned_at, a.source_id, a.passed, a.prior_credit,
        deadline.passes_at,
        case when greatest(a.completed_at, a.completed_known_at) <= $5 then a.completed_at end as completed_at,
        coalesce(
            coalesce(a.valid_until, (a.completed_at at time zone 'UTC')::date + course.validity_days) + 1 <= asked.moment,
            false
        ) as lapsed,
        coalesce(greatest(a.waived_at, a.waived_known_at) <= $5, false) as waived,
        -- Withdrawn before it was due; later is too late to make an overdue assignment disappear.
        coalesce(greatest(a.withdrawn_at, a.withdrawn_known_at) <= $5 and a.withdrawn_at < deadline.passes_at, false)
            or coalesce(person.active_to <= asked.moment, false)
            or coalesce(partner.active_to <= asked.moment, false) as withdrawn,
        coalesce(person.active_from > asked.moment, false)
            or coalesce(partner.active_from > asked.moment, false) as not_begun
    from assigned a
    join staff person on person.person_id = a.person_id
    join (select partner_id, active_from, active_to from partner_as_of($5) where partner_id = any ($2)) as partner
        on partner.partner_id = a.partner_id
    cross join asked
    -- A certificate that says nothing of its own is valid for as long as the course says: in the version it names, or
    -- the one in force when it was completed.
    left join course
        on course.course_id = a.course_id
       and a.valid_until is null and a.completed_at is not null
       and case when a.course_version is not null then course.version = a.course_version
                else course.effective_from <= a.completed_at at time zone 'UTC'
                     and coalesce(course.next_from > a.completed_at at time zone 'UTC', true) end
    -- The due date in force at the moment; the whole due day still counts as in time.
    cross join lateral (
        select (case
            when greatest(a.due_changed_at, a.due_changed_known_at) > $5 then a.previous_due_on
            else a.due_on
        end + 1)::timestamp at time zone 'UTC' as passes_at
    ) as deadline
    -- Otherwise each use of a deadline works it out anew, and each use of a state below.
    offset 0
),
judged as (
    select
        *,
        passes_at <= $5 as due,
        case
            when assigned_at >= passes_at then 'assigned_after_due'
            when waived then 'waived'
            when withdrawn then 'withdrawn'
            when not_begun then 'not_begun'
            when completed_at is not null and passed and not lapsed then 'completed'
            when passes_at > $5 then 'not_due'
            when completed_at is null then 'overdue'
            when passed then 'expired'
            else 'failed'
        end as state
    from seen
    offset 0
),
-- Recertifying makes a new assignment: of one person's assignments of one course the last that counts stands.
standing as (
    select
        *,
        state in ('completed', 'overdue', 'expired', 'failed') and row_number() over (
            partition by person_id, course_id, partner_id, state in ('completed', 'overdue', 'expired', 'failed')
            order by assigned_at desc, source_id desc
        ) = 1 as counts,
        assigned_at >= $3::timestamptz and assigned_at < $4::timestamptz as in_window
    from judged
),
counted as (
    select
        partner_id,
        count(*) filter (where counts) as counted,
        count(*) filter (where counts and due) as due,
        count(*) filter (where counts and state = 'completed') as completed,
        count(*) filter (where counts and state = 'completed' and not due) as early,
        count(*) filter (where counts and state = 'completed' and completed_at < passes_at) as on_time,
        count(*) filter (where counts and state = 'overdue') as overdue,
        count(*) filter (where counts and state = 'expired') as expired,
        count(*) filter (where counts and state = 'failed') as failed,
        count(*) filter (where counts and state = 'completed' and prior_credit) as prior_credit,
        count(*) filter (where state = 'not_due') as not_due,
        count(*) filter (where state = 'waived') as waived,
        count(*) filter (where state = 'withdrawn') as withdrawn,
        count(*) filter (where state = 'not_begun') as not_begun,
        count(*) filter (where state = 'assigned_after_due') as assigned_after_due,
        count(*) filter (where counts and in_window) as assigned_in_window,
        count(*) filter (where counts and in_window and state = 'completed') as completed_of_assigned_in_window
    from standing
    group by partner_id
)
select
    m.group_no,
    c.partner_id,
    c.completed::float8 as numerator,
    c.counted::float8 as denominator,
    c.counted as facts,
    c.due,
    c.completed,
    c.early,
    c.on_time,
    c.overdue,
    c.expired,
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
