delete from terminal_request where code = $1 and created_at > now() - $2::interval returning sha256
