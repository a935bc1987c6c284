-- $1 its id, $2 name, $3 source system, $4 hash of the secret.
insert into api_key (key_id, name, source_system, sha256) values ($1, $2, $3, $4)
