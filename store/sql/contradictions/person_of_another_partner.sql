-- Assignments of people who are known as another partner's, and never were as this one's: people move. $1 as of.
select
    a.source_system, a.source_id, a.partner_id,
    format('person %s, of partner %s', a.person_id, p.partner_id) as found,
    format('a person of partner %s', a.partner_id) as expected
from enablement_assignment_as_of($1::timestamptz) a
join person_as_of($1) p using (person_id)
where p.partner_id <> a.partner_id and not exists (
    select from superseded.person v
    where v.person_id = a.person_id and v.partner_id = a.partner_id and v.superseded_at <= $1
)
