insert into terminal_request (sha256, code) values ($1, $2)
