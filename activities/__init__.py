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
from models.work import WatchInput

__all__ = ["Channel", "all_activities"]


def all_activities(
    pool: asyncpg.Pool[asyncpg.Record],
    client: Client,
    channels: tuple[Channel, ...] = (),
    watch: WatchInput | None = None,
    public_url: str | None = None,
) -> list[Callable[..., Any]]:
    """Every activity a worker registers. `channels` carry notices beside the outbox; none keeps them in it. `watch` is
    how the watch is started should it not run when a rollout opens. `public_url` is where the links in letters lead."""
    delivery = Delivery(pool, channels, public_url)
    effects = EffectActivities(pool, client, watch)
    metrics = MetricActivities(pool)
    notices = NoticeActivities(pool, delivery)
    watching = WatchActivities(pool, client, delivery)
    return [
        effects.open_rollout,
        effects.resolve_cohorts,
        effects.enrol_partners,
        effects.withdraw_partners,
        effects.record_decisions,
        metrics.fetch_metrics,
        metrics.assess_thresholds,
        notices.notify_owners,
        watching.evaluate_open_rollouts,
    ]
