-- Every version of every event of these subjects. $1 source system, $2 kind, $3 subjects as one text.
select subject, type, happened_at, version, event_id, data::text as data, retracted
from fact_event
where source_system = $1 and kind = $2 and subject = any (string_to_array($3, E'\x1f'))
