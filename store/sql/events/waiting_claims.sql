-- Facts of any source that wait for one of these events. $1 its type, $2 subjects of it.
select source_system, kind, subject
from fact_subject
where waits_for = $1 and waits_for_subject = any ($2::text[])
