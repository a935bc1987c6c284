-- $1 rollout, $2 chain. When each phase began, by the programme's clock.
select entry ->> 'phase' as phase, min(programme_at) as began
from decision_log
where (rollout_id, chain_id) = ($1, $2)
group by 1
order by 2
