-- Holds the stored leads that the staged ones may take their deadlines from: a pause taken in meanwhile would be lost.
select from lead l
where exists (
    select from intake_staged s
    where s.source_system = l.source_system and s.source_id = l.source_id
      and s.accept_due_at is null and s.contact_due_at is null
)
order by l.source_system, l.source_id
for update of l
