-- Signed checkpoints over the decision log: how long the log of a chain was, and the root of its hash tree then. They are
-- never changed, as what they are over is not. `note` is all that proves anything: size, root and what the checkpoint
-- follows stand in its signed text. `edge` lets the tree grow without reading the log anew; whoever goes on from it makes
-- sure first that it has the root that was signed.
create table log_checkpoint (
    rollout_id  text not null,
    chain_id    text not null,
    number      bigint not null check (number > 0),
    size        bigint not null check (size > 0),      -- entries that it is over: those of sequence 1 to this
    because     text not null check (because in ('gate', 'hour', 'export', 'close')),
    at          timestamptz not null,
    note        text not null,
    vkey        text not null,                         -- of the key that signed it
    edge        bytea not null,
    recorded_at timestamptz not null default now(),
    primary key (rollout_id, chain_id, number),
    unique (rollout_id, chain_id, size),
    foreign key (rollout_id, chain_id) references rollout
);
create trigger log_checkpoint_append_only before update or delete or truncate on log_checkpoint
    for each statement execute function refuse_change();

-- Somebody without the key wishes for a checkpoint; a worker that has it writes one and takes the wish away.
create table log_checkpoint_wish (
    rollout_id text not null,
    chain_id   text not null,
    because    text not null check (because in ('gate', 'hour', 'export', 'close')),
    wished_at  timestamptz not null default now(),
    primary key (rollout_id, chain_id),
    foreign key (rollout_id, chain_id) references rollout
);
