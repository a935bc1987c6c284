select session_id, kind, issuer, subject, identity, name, created_at, last_seen_at, ended_at, ended_by
from session
order by created_at, session_id
