-- Locks subjects that are there, in the order of all writers, and tells of those that wait. $1 source system, $2 kind,
-- $3 subjects as one text.
with locked as materialized (
    select subject, waits_for, waits_for_subject
    from fact_subject
    where source_system = $1 and kind = $2 and subject = any (string_to_array($3, E'\x1f'))
    order by subject
    for update
)
select subject, waits_for, waits_for_subject from locked where waits_for is not null
