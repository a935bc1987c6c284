-- Who acts in whose place, as a rollout says itself with every entry of its log: whoever signs in with another address than
-- the one that was given is found by issuer and subject, and is called by name.
alter table rollout add column delegations jsonb not null default '[]';
create index rollout_delegations on rollout using gin (delegations jsonb_path_ops) where open;
