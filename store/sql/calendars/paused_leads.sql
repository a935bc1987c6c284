-- Leads that pauses of this import belong to, and those that they belonged to before a correction.
select source_system, lead_id as source_id from intake_staged
union
select p.source_system, p.lead_id
from superseded.lead_pause p join intake_staged s using (source_system, source_id)
order by 1, 2
