-- Subjects that nobody has locked before. $1 source systems, $2 kinds, $3 subjects. In one order for every writer, so
-- that two of them wait for each other in a line and never in a circle.
insert into fact_subject (source_system, kind, subject)
select source_system, kind, subject
from unnest($1::text[], $2::text[], $3::text[]) as s (source_system, kind, subject)
order by source_system, kind, subject
on conflict do nothing
returning source_system, kind, subject
