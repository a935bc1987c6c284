-- Facts that arrive as events: each event is kept, and a fact is what its events say so far.
--
-- Rules
--   * fact_event only ever grows. A correction is the same event with a higher version; what it says from then on
--     replaces what the lower one said, whenever either arrived.
--   * subject is the source_id of the fact that an event is about, among the facts of one kind.
--   * fact_subject is what writers lock, and where a fact that cannot be made yet waits.

create table fact_event (
    source_system text not null,
    event_id      text not null,
    version       integer not null check (version > 0),
    type          text not null,
    kind          text not null,
    subject       text not null,
    happened_at   timestamptz not null,
    data          jsonb not null,
    sha256        bytea not null check (length(sha256) = 32),    -- of what it says, for telling repeats from conflicts
    received_at   timestamptz not null,
    received_by   text not null,                                 -- name of the key that it came with
    primary key (source_system, event_id, version)
);
create index fact_event_by_subject on fact_event (source_system, kind, subject);
create index fact_event_received on fact_event (source_system, received_at);
create trigger fact_event_append_only before update or delete or truncate on fact_event
    for each statement execute function refuse_change();

create table fact_subject (
    source_system     text not null,                             -- empty: a name shared by all sources
    kind              text not null,
    subject           text not null,
    waits_for         text,                                      -- type of the event without which there is no fact
    waits_for_subject text,                                      -- the subject of that event
    waiting_since     timestamptz,
    primary key (source_system, kind, subject),
    check ((waits_for is null) = (waits_for_subject is null)),
    check ((waits_for is null) = (waiting_since is null))
);
create index fact_subject_waiting on fact_subject (waits_for, waits_for_subject) where waits_for is not null;

-- Who may send events. The secret is 256 random bits: there is nothing to guess, so a plain hash of it is enough.
create table api_key (
    key_id        text primary key,
    name          text not null check (name <> ''),
    source_system text not null,
    sha256        bytea not null check (length(sha256) = 32),
    created_at    timestamptz not null default now(),
    revoked_at    timestamptz,
    last_used_at  timestamptz                                    -- to the minute
);
create unique index api_key_name on api_key (name) where revoked_at is null;
