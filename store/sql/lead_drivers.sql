-- The leads behind a breached SLA. Follows lead_states.sql and lead_ranks.sql; $6 how many rows of a group at most.
select group_no, partner_id, lead_id, due_at, state, rank
from ranked
where rank <= $6::int
order by group_no, rank
