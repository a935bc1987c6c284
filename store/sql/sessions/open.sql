insert into session (sha256, session_id, kind, issuer, subject, identity, name, auth_time, amr)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
