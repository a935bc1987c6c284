-- Events that are taken back: a higher version of an event may say that it never happened.
alter table fact_event add column retracted boolean not null default false;
