-- Leads that pauses are of, and those that they were of before a correction. $1 source systems, $2 ids of the pauses.
with one as (
    select * from unnest($1::text[], $2::text[]) as one (source_system, source_id)
)
select p.source_system, p.lead_id as source_id from lead_pause p join one using (source_system, source_id)
union
select p.source_system, p.lead_id from superseded.lead_pause p join one using (source_system, source_id)
order by 1, 2
