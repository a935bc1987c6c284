-- Locks subjects that are there, in the order of all writers. $1 source systems, $2 kinds, $3 subjects.
select source_system, kind, subject, waits_for, waits_for_subject
from fact_subject
where (source_system, kind, subject) in (
    select source_system, kind, subject
    from unnest($1::text[], $2::text[], $3::text[]) as s (source_system, kind, subject)
)
order by source_system, kind, subject
for update
