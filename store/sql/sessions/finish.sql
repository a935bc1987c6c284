delete from sign_in
where state_sha256 = $1 and browser_sha256 = $2 and created_at > now() - $3::interval
returning nonce, verifier, back, max_age
