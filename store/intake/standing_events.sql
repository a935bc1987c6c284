-- Sources that ever sent an event, and when they last did; whoever sends has a key. No parameters.
select k.source_system as source,
       (select max(e.received_at) from fact_event e where e.source_system = k.source_system) as event_at
from (select distinct source_system from api_key) k
where exists (select from fact_event e where e.source_system = k.source_system)
