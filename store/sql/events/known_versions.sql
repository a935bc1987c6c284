-- What is known of these events. $1 source system, $2 event ids as one text.
select event_id, version, type, subject, sha256
from fact_event
where source_system = $1 and event_id = any (string_to_array($2, E'\x1f'))
