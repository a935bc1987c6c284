-- By what the watch proves to a rollout that a word is its own (models/vouching.py). Whoever reads it can speak as the
-- watch, so it stands in no list and in no bundle.
create table watch_seed (
    rollout_id text not null,
    chain_id   text not null,
    seed       bytea not null,
    primary key (rollout_id, chain_id),
    foreign key (rollout_id, chain_id) references rollout
);

-- Among how many shards a position was noted: of another number a shard looks after other rollouts, whose changes
-- somebody else may have been behind with. NULL: not known.
alter table watch_position add column shards integer;
