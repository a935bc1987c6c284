-- Whether a rollout reads the watch's daily word in its short form: as it says itself when it is registered. Those that
-- began before do not, and are told at length.
alter table rollout add column short_words boolean not null default false;
