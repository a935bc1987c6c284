-- $1 notice, $2 contact, $3 channels that took it, $4 channels that never will, $5 every channel has spoken,
-- $6 problem, $7 wait before the next try.
update notice
set attempts = attempts + 1,
    delivered = $3,
    refused = $4,
    sent_at = case when $5 and cardinality($4::text[]) = 0 then now() end,
    refused_at = case when $5 and cardinality($4::text[]) > 0 then now() end,
    -- Why a channel refused it is not forgotten when the others take it.
    problem = coalesce($6, case when cardinality($4::text[]) > 0 then problem end),
    next_try_at = now() + $7::interval
where notice_id = $1 and contact = $2
