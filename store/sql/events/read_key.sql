-- A key that is in force, and whether its use of this minute still has to be written down. $1 its id.
select key_id, name, source_system, sha256,
       last_used_at is null or last_used_at < now() - interval '1 minute' as unnoticed
from api_key
where key_id = $1 and revoked_at is null
