insert into draft (draft_id, issuer, subject, path, fields) values ($1, $2, $3, $4, $5)
