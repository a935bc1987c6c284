-- Owners are known by issuer and subject where a plan says them: an inbox finds what waits for such a person by these.
create index rollout_owners on rollout using gin ((plan -> 'owners') jsonb_path_ops) where open;
