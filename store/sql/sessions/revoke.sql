update session set ended_at = now(), ended_by = 'revoked'
where ended_at is null and (session_id = $1 or lower(identity) = lower($1))
returning session_id
