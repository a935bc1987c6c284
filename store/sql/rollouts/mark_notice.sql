-- $1 notice, $2 contact, $3 channels that took it, $4 done, $5 refused for good, $6 problem, $7 wait before the next try.
update notice
set attempts = attempts + 1,
    delivered = $3,
    sent_at = case when $4 then now() end,
    refused_at = case when $5 then now() end,
    problem = $6,
    next_try_at = now() + $7::interval
where notice_id = $1 and contact = $2
