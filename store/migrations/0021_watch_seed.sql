-- By what the watch proves to a rollout that a word is its own (models/vouching.py). Whoever reads it can speak as the
-- watch, so it stands in no list and in no bundle.
create table watch_seed (
    rollout_id text not null,
    chain_id   text not null,
    seed       bytea not null,
    primary key (rollout_id, chain_id),
    foreign key (rollout_id, chain_id) references rollout
);
