-- Certified partners, percent: active partners with two certified people at least / active partners, as of the moment.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window picks nothing, a
-- certificate is in date or not), $5 as of. A person is certified who is active and has passed at least one course of
-- which the certificate is in date, whichever, for the partner that it was assigned for. A waiver is no certificate.
-- Each active partner is one in the denominator; facts are those of whom any course is known, passed or not.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
asked as (
    select $5::timestamptz at time zone 'UTC' as moment
    where $3::timestamptz < $4::timestamptz
),
active as (
    select p.partner_id
    from partner_as_of($5) p
    cross join asked
    where p.partner_id = any ($2)
      and (p.active_from is null or p.active_from <= asked.moment)
      and (p.active_to is null or p.active_to > asked.moment)
),
assigned as materialized (
    select a.partner_id, a.person_id, a.course_id, a.course_version, a.valid_until, a.completed_at,
           coalesce(a.passed and greatest(a.completed_at, a.completed_known_at) <= $5, false) as passed
    from enablement_assignment_as_of($5) a
    where a.partner_id = any ($2) and a.assigned_at <= $5
),
passed as (
    select * from assigned where passed
),
-- Given as a list, because a join would not reach the index behind a table as of a moment.
staff as materialized (
    select person_id, active_from, active_to from person_as_of($5)
    where person_id = any (array(select distinct person_id from passed))
),
certified as (
    select p.partner_id, count(distinct p.person_id) as people
    from passed p
    join staff person using (person_id)
    cross join asked
    -- A certificate that says nothing of its own is valid for as long as the course says: in the version it names, or
    -- the one in force when it was completed.
    left join lateral (
        select c.validity_days
        from enablement_course_as_of($5) c
        where c.course_id = p.course_id
          and (c.version = p.course_version
               or (p.course_version is null and c.effective_from <= p.completed_at at time zone 'UTC'))
        order by c.version desc
        limit 1
    ) as course on p.valid_until is null
    where (person.active_from is null or person.active_from <= asked.moment)
      and (person.active_to is null or person.active_to > asked.moment)
      -- The last day is inclusive.
      and coalesce(
          coalesce(p.valid_until, (p.completed_at at time zone 'UTC')::date + course.validity_days) + 1 > asked.moment,
          true
      )
    group by p.partner_id
)
select
    m.group_no,
    a.partner_id,
    (coalesce(c.people, 0) >= 2)::int::float8 as numerator,
    1::float8 as denominator,
    (known.partner_id is not null)::int as facts,
    coalesce(c.people, 0) as certified_people,
    (coalesce(c.people, 0) >= 1)::int as with_one,
    (coalesce(c.people, 0) >= 2)::int as with_two,
    (coalesce(c.people, 0) >= 3)::int as with_three,
    (coalesce(c.people, 0) >= 5)::int as with_five
from member m
join active a using (partner_id)
left join certified c using (partner_id)
left join (select distinct partner_id from assigned) as known using (partner_id)
order by m.group_no, a.partner_id
