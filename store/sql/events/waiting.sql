-- Events whose fact cannot be made yet: per source, kind and what they wait for.
select s.source_system, s.kind, s.waits_for, count(distinct s.subject) as subjects, count(*) as events,
       min(s.waiting_since) as since
from fact_subject s
join fact_event e using (source_system, kind, subject)
where s.waits_for is not null
group by s.source_system, s.kind, s.waits_for
order by s.source_system, s.kind, s.waits_for
