"""Everything of a rollout that touches the world, each activity idempotent by a stated key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
from temporalio.client import Client

from activities.channels import Channel
from activities.checkpoints import LogSigner
from activities.delivery import Delivery
from activities.effects import EffectActivities
from activities.enrolling import EnrolActivities
from activities.exporting import ExportActivities
from activities.metrics import MetricActivities
from activities.notices import NoticeActivities
from activities.reviewing import ReviewActivities
from activities.trust import KeyActivities, Trust
from activities.watching import WatchActivities
from models.work import WatchInput

__all__ = ["Channel", "LogSigner", "Trust", "effect_activities", "workflow_activities"]

Activities = list[Callable[..., Any]]


def workflow_activities(
    pool: asyncpg.Pool[asyncpg.Record],
    client: Client,
    channels: tuple[Channel, ...] = (),
    watch: WatchInput | None = None,
    trust: Trust | None = None,
    public_url: str | None = None,
    signer: LogSigner | None = None,
) -> Activities:
    """What stands on the queue of the rollouts: looking, judging, recording, telling. `channels` carry notices beside
    the outbox; none keeps them in it. `watch` is how the watch is started should it not run when a rollout opens.
    `trust` is where the keys of signed decisions are, `public_url` where the links in letters lead, `signer` signs the
    decision log."""
    delivery = Delivery(pool, channels, public_url)
    effects = EffectActivities(pool, client, watch, signer, delivery)
    metrics = MetricActivities(pool)
    notices = NoticeActivities(pool, delivery)
    reviewing = ReviewActivities(pool)
    watching = WatchActivities(pool, client, delivery)
    return [
        effects.open_rollout,
        effects.resolve_cohorts,
        effects.record_decisions,
        ExportActivities(pool, client).export_history,
        KeyActivities(trust or Trust()).decision_keys,
        metrics.fetch_metrics,
        metrics.assess_thresholds,
        metrics.look_at_metrics,
        notices.notify_owners,
        reviewing.keep_record,
        reviewing.review_rollout,
        watching.evaluate_open_rollouts,
    ]


def effect_activities(
    pool: asyncpg.Pool[asyncpg.Record], trust: Trust | None = None, signer: LogSigner | None = None
) -> Activities:
    """What stands on the queue of the effects: enrolling and withdrawing partners, where `trust` finds it proven."""
    enrolling = EnrolActivities(pool, trust, signer)
    return [enrolling.enrol_partners, enrolling.withdraw_partners]
