-- $1 notice ids, or NULL for every letter whose next try is due; $2 at most.
select notice_id, contact
from notice
where sent_at is null and refused_at is null
  and case when $1::text[] is null then next_try_at <= now() else notice_id = any ($1) end
order by next_try_at, notice_id, contact
limit $2::int
