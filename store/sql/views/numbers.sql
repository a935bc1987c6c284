-- $1 rollout, $2 digest of a snapshot. Its readings and those beside them, without the partners' rows behind them.
select (body -> 'snapshot' -> 'readings')::text as readings,
       coalesce(body -> 'snapshot' -> 'comparison', '[]')::text as beside
from evidence
where rollout_id = $1 and digest = $2 and kind = 'snapshot'
order by recorded_at desc
limit 1
