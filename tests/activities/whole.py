"""The activities as the first release asks for them: they answer whole."""

from __future__ import annotations

from typing import cast

import asyncpg
from temporalio.client import Client

from activities.checkpoints import LogSigner
from activities.delivery import Delivery
from activities.effects import EffectActivities
from activities.enrolling import EnrolActivities
from activities.metrics import MetricActivities
from activities.trust import Trust
from models.evidence import Assessment, Snapshot
from models.rollout import CohortMembers
from models.work import AssessRequest, FetchRequest, ResolveRequest


def effects_of(
    pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner | None = None, delivery: Delivery | None = None
) -> EffectActivities:
    """For what asks nothing of Temporal, so that no server has to be there: only open_rollout needs a client."""
    return EffectActivities(pool, cast("Client", None), signer=signer, delivery=delivery)


class WholeMetrics(MetricActivities):
    async def fetch_metrics(self, request: FetchRequest) -> Snapshot:
        found = await super().fetch_metrics(request)
        assert isinstance(found, Snapshot)
        return found

    async def assess_thresholds(self, request: AssessRequest) -> Assessment:
        found = await super().assess_thresholds(request)
        assert isinstance(found, Assessment)
        return found


class BothEffects(EffectActivities, EnrolActivities):
    """What both queues do to the store."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client, trust: Trust | None = None) -> None:
        EffectActivities.__init__(self, pool, client)
        EnrolActivities.__init__(self, pool, trust)


class WholeEffects(BothEffects):
    """`of_the_store` is for what asks nothing of Temporal, so that no server has to be there."""

    @classmethod
    def of_the_store(cls, pool: asyncpg.Pool[asyncpg.Record]) -> WholeEffects:
        return cls(pool, cast("Client", None))

    async def resolve_cohorts(self, request: ResolveRequest) -> tuple[CohortMembers, ...]:
        found = await super().resolve_cohorts(request)
        assert isinstance(found, tuple)
        return found
