-- Which subjects wait from now on, for what, and which no longer do (where that is NULL). $1 moment, then arrays:
-- $2 source systems, $3 kinds, $4 subjects, $5 types waited for, $6 subjects waited for.
update fact_subject as f
set waits_for = s.waits_for, waits_for_subject = s.waits_for_subject,
    waiting_since = case when s.waits_for is not null then coalesce(f.waiting_since, $1::timestamptz) end
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
     as s (source_system, kind, subject, waits_for, waits_for_subject)
where (f.source_system, f.kind, f.subject) = (s.source_system, s.kind, s.subject)
