delete from draft
where draft_id = $1 and issuer = $2 and subject = $3 and path = $4 and created_at > now() - interval '1 day'
returning fields
