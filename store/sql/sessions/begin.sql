insert into sign_in (state_sha256, browser_sha256, nonce, verifier, back, max_age) values ($1, $2, $3, $4, $5, $6)
