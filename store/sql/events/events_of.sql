-- Every version of every event of these subjects. $1 source systems, $2 kinds, $3 subjects.
select e.source_system, e.kind, e.subject, e.type, e.happened_at, e.version, e.event_id, e.data::text as data
from unnest($1::text[], $2::text[], $3::text[]) as s (source_system, kind, subject)
join fact_event e using (source_system, kind, subject)
