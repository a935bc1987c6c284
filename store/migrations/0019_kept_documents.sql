-- What a rollout keeps of itself when it ends: its decision record in each language and the draft of the next cycle.

-- `entries` is the last entry of the log that they are made of; the entry behind it names their digests. `content` is
-- as it was written, `sha256` (hex) is of it; `path` is where it stands among the others.
create table kept_document (
    rollout_id text not null,
    chain_id   text not null,
    entries    integer not null check (entries > 0),
    path       text not null,
    sha256     text not null,
    content    bytea not null,
    kept_at    timestamptz not null default now(),
    primary key (rollout_id, chain_id, entries, path),
    foreign key (rollout_id, chain_id) references rollout,
    check (sha256 = encode(sha256(content), 'hex'))
);

create trigger kept_document_append_only before update or delete or truncate on kept_document
    for each statement execute function refuse_change();
