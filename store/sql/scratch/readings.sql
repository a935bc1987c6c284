-- Every look at every metric of every cohort of the one rollout there is, in order.
select cohort, metric, as_of, value, verdict
from judged_reading
order by as_of, cohort, metric
