select issuer, subject, identity, name, auth_time, amr, last_seen_at < now() - interval '1 minute' as unnoticed
from session
where sha256 = $1
  and ended_at is null
  and last_seen_at > now() - $2::interval
  and created_at > now() - $3::interval
