-- $1 rollout, $2 chain, $3 entries, $4 paths, $5 digests, $6 contents.
insert into kept_document (rollout_id, chain_id, entries, path, sha256, content)
select $1, $2, $3, path, sha256, content
from unnest($4::text[], $5::text[], $6::bytea[]) as given (path, sha256, content)
