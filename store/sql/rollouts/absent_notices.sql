-- $1 rollout, $2 chain, $3 notice ids: those of which no letter stands in the outbox.
select asked.notice_id
from unnest($3::text[]) as asked (notice_id)
where not exists (
    select from notice
    where notice.notice_id = asked.notice_id and notice.rollout_id = $1 and notice.chain_id = $2
)
