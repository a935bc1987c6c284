-- Every version of an event, the newest first, and what its subject waits for. $1 source system, $2 event id.
select e.version, e.type, e.subject, e.happened_at, e.data::text as data, encode(e.sha256, 'hex') as sha256,
       e.retracted, e.received_at, s.waits_for, s.waits_for_subject
from fact_event e
join fact_subject s using (source_system, kind, subject)
where e.source_system = $1 and e.event_id = $2
order by e.version desc
