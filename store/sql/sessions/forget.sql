with old_sign_ins as (delete from sign_in where created_at < now() - $1::interval),
     old_requests as (delete from terminal_request where created_at < now() - $1::interval),
     old_drafts as (delete from draft where created_at < now() - interval '1 day')
delete from session where coalesce(ended_at, created_at) < now() - interval '90 days'
