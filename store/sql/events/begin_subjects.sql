-- Subjects that nobody has locked before, as one text, or NULL. $1 source system, $2 kind, $3 subjects as one text. In one
-- order for every writer, so that two of them wait for each other in a line and never in a circle.
with begun as (
    insert into fact_subject (source_system, kind, subject)
    select $1, $2, subject from unnest(string_to_array($3, E'\x1f')) as subject order by subject
    on conflict do nothing
    returning subject
)
select string_agg(subject, E'\x1f') from begun
