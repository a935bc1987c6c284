"""A reading that nobody had when a rollout ended: what is made anew then states something else than what was kept."""

LATE = """
insert into judged_reading
    (rollout_id, chain_id, cohort, metric, as_of, purpose, value, verdict, beyond, snapshot_digest)
select rollout_id, chain_id, 'pilot', 'lead_follow_up_sla', (entry ->> 'programme_at')::timestamptz, 'watch', 1.5,
    'not met', true, 'sha256:none'
from decision_log where (rollout_id, sequence) = ($1, 1)
"""
"""A reading that comes late into the store, of a moment before the end."""
