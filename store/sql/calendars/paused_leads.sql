-- Leads that pauses of this import belong to.
select distinct source_system, lead_id as source_id from intake_staged order by 1, 2
