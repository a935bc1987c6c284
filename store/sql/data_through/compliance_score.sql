-- The latest compliance result known as of $1.
select max(assessed_at) from compliance_result where assessed_at <= $1::timestamptz and known_at <= $1
