"""Everything of a rollout that touches the world, each activity idempotent by a stated key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
from temporalio.client import Client

from activities.channels import Channel
from activities.delivery import Delivery
from activities.effects import EffectActivities
from activities.metrics import MetricActivities
from activities.notices import NoticeActivities
from activities.watching import WatchActivities

__all__ = ["Channel", "all_activities"]


def all_activities(
    pool: asyncpg.Pool[asyncpg.Record], client: Client, channels: tuple[Channel, ...] = ()
) -> list[Callable[..., Any]]:
    """Every activity a worker registers. `channels` carry notices beside the outbox; none keeps them in it."""
    delivery = Delivery(pool, channels)
    effects = EffectActivities(pool, client)
    metrics = MetricActivities(pool)
    notices = NoticeActivities(pool, delivery)
    watch = WatchActivities(pool, client, delivery)
    return [
        effects.open_rollout,
        effects.resolve_cohorts,
        effects.enrol_partners,
        effects.withdraw_partners,
        effects.record_decisions,
        metrics.fetch_metrics,
        metrics.assess_thresholds,
        notices.notify_owners,
        watch.evaluate_open_rollouts,
    ]
