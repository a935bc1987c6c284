-- What is known of these events. $1 source system, $2 event ids.
select event_id, version, type, subject, sha256
from fact_event
where source_system = $1 and event_id = any ($2::text[])
