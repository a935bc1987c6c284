-- Leads of this import that have pauses already: their deadlines were just reckoned without them.
select distinct s.source_system, s.source_id
from intake_staged s
join lead_reckoned r using (line)
join lead_pause p on p.source_system = s.source_system and p.lead_id = s.source_id
order by 1, 2
