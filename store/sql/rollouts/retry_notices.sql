-- $1 rollout, or NULL for all of them. Channels that took a letter are not asked again.
update notice
set refused_at = null, refused = '{}', next_try_at = now()
where sent_at is null and ($1::text is null or rollout_id = $1)
returning notice_id
