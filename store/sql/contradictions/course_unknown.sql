-- Assignments of courses, or versions of them, that are not known. Where no course is, nobody writes them down. $1 as of.
select
    a.source_system, a.source_id, a.partner_id,
    case when a.course_version is null then format('course %s', a.course_id)
         else format('course %s, version %s', a.course_id, a.course_version) end as found,
    'a course that is known' as expected
from enablement_assignment_as_of($1::timestamptz) a
where exists (select from enablement_course_as_of($1))
  and (a.course_id not in (select c.course_id from enablement_course_as_of($1) c)
       or a.course_version is not null
          and (a.course_id, a.course_version) not in (select c.course_id, c.version from enablement_course_as_of($1) c))
