-- A notice says the same to programs as to people: what it is about stands beside its text.
alter table notice add column about jsonb not null default '{}';

-- Channels that will never take the letter. It is refused once every other one has taken it.
alter table notice add column refused text[] not null default '{}';

comment on column notice.contact is 'a person''s address, or * for the notice as webhooks get it, once for each of them';
