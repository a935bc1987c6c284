"""Of which cohorts a letter lies in the outbox that warned of a breach ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.metric import MetricName
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import notices
from store.pool import Connection
from store.rollouts import StoredRollout

Warned = dict[MetricName, tuple[CohortMembers, ...]]
"""By metric the watched cohorts of which there is a letter."""


def letter_id(key: RolloutKey, cohort: str, metric: MetricName, day: datetime) -> str:
    """Under which such a letter lies: a day (programme time) of close calls is one letter."""
    return f"{key.rollout_id}/{key.chain_id}/warning/{cohort}/{metric.value}/{day:%Y-%m-%d}"


async def warned_lately(conn: Connection, rollout: StoredRollout, now: datetime) -> Warned:
    """Of which there is one of today or yesterday (programme days): a close call is told of on every day it goes on."""
    cohorts = {one.name: one for one in rollout.standing.watched}
    names = {
        letter_id(rollout.key, cohort, plan.metric, day): (plan.metric, cohort)
        for plan in rollout.plan.metrics
        if plan.can_warn_ahead
        for cohort in cohorts
        for day in (now, now - timedelta(days=1))
    }
    absent = set(await notices.absent(conn, rollout.key, list(names))) if names else set()
    found: Warned = {}
    for metric, cohort in dict.fromkeys(of for name, of in names.items() if name not in absent):
        found[metric] = (*found.get(metric, ()), cohorts[cohort])
    return found
