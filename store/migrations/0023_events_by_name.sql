-- Events and what they are about are looked up by names that are known, and their indexes are filled by each event.
-- Of any two rows the source and the kind are mostly the same: comparing them first costs each comparison twice.
-- What tells rows apart stands first.

alter table fact_event drop constraint fact_event_pkey;
alter table fact_event add primary key (event_id, source_system, version);
drop index fact_event_by_subject;
create index fact_event_by_subject on fact_event (subject, kind, source_system);

alter table fact_subject drop constraint fact_subject_pkey;
alter table fact_subject add primary key (subject, kind, source_system);
