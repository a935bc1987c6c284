update session set ended_at = now(), ended_by = $2 where sha256 = $1 and ended_at is null
