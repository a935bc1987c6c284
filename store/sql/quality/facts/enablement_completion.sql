-- The assignments of some partners that the metric counts and that are not completed, the longest due first: overdue,
-- failed, or completed once and lapsed. Arguments as of lead_follow_up_sla.sql.
with assigned as materialized (
    select * from enablement_assignment_as_of($3::timestamptz)
    where partner_id = any ($1::text[]) and assigned_at <= $3 and $2::timestamptz is not null
),
-- Given as a list: a join would not reach the index behind a table as of a moment.
staff as materialized (
    select person_id, active_to from person_as_of($3) where person_id = any (array(select person_id from assigned))
),
seen as (
    select
        a.partner_id, a.person_id, a.course_id, a.assigned_at, a.source_id, deadline.due_on,
        deadline.passes_at <= $3::timestamptz as due,
        a.assigned_at < deadline.passes_at
            and not coalesce(greatest(a.waived_at, a.waived_known_at) <= $3, false)
            -- Withdrawn before it was due, or with who has left.
            and not coalesce(
                greatest(a.withdrawn_at, a.withdrawn_known_at) <= $3 and a.withdrawn_at < deadline.passes_at, false)
            and not coalesce(person.active_to <= $3 at time zone 'UTC', false)
            and not coalesce(partner.active_to <= $3 at time zone 'UTC', false) as asked,
        coalesce(
            a.passed and greatest(a.completed_at, a.completed_known_at) <= $3
            and coalesce(
                coalesce(a.valid_until, (a.completed_at at time zone 'UTC')::date + course.validity_days) + 1
                    > $3 at time zone 'UTC',
                true
            ),
            false
        ) as completed
    from assigned a
    join staff person on person.person_id = a.person_id
    join (select partner_id, active_to from partner_as_of($3) where partner_id = any ($1)) as partner
        on partner.partner_id = a.partner_id
    left join lateral (
        select c.validity_days
        from enablement_course_as_of($3) c
        where c.course_id = a.course_id
          and case when a.course_version is not null then c.version = a.course_version
                   else c.effective_from <= a.completed_at at time zone 'UTC' end
        order by c.version desc
        limit 1
    ) as course on true
    cross join lateral (
        select due.due_on, (due.due_on + 1)::timestamp at time zone 'UTC' as passes_at
        from (
            select case
                when greatest(a.due_changed_at, a.due_changed_known_at) > $3 then a.previous_due_on else a.due_on
            end as due_on
        ) as due
    ) as deadline
)
select partner_id, fact
from (
    select partner_id, 'assignment ' || source_id as fact,
           row_number() over (partition by partner_id order by due_on, source_id) as place
    from (
        -- Of one person's assignments of one course the last that counts stands.
        select distinct on (partner_id, person_id, course_id) partner_id, due_on, source_id, completed
        from seen
        where asked and (due or completed)
        order by partner_id, person_id, course_id, assigned_at desc, source_id desc
    ) as last
    where not completed
) as missing
where place <= $4::int
order by partner_id, place
