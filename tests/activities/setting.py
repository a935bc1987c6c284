"""A registered rollout with facts behind it, and the requests its activities are called with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from models.clock import ProgrammeClock, clock_at
from models.evidence import Baseline
from models.log import EntryKind, LogEntry
from models.metric import MetricName
from models.plan import CohortSpec, Decisions, RolloutPlan, Selector
from models.rollout import CohortMembers, Notice
from models.work import (
    AssessRequest,
    EnrolRequest,
    FetchRequest,
    OpenRequest,
    RecordRequest,
    ResolveRequest,
    RolloutKey,
    Standing,
)
from store import rollouts
from tests.plans import PILOT, make_plan

START = datetime(2026, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
PILOT_COHORT = CohortMembers(name="pilot", partners=PILOT)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Setting:
    """One rollout in the store. Its clock shows `START` at the real moment `START`, so that both times are one."""

    def __init__(self, pool: Pool, plan: RolloutPlan | None = None, chain: str = "chain-1", speed: float = 1.0) -> None:
        self.pool = pool
        self.plan = plan or make_plan()
        self.key = RolloutKey(rollout_id=self.plan.id, chain_id=chain)
        self.clock: ProgrammeClock = clock_at(START, speed=speed)

    async def register(self) -> Setting:
        async with self.pool.acquire() as conn, conn.transaction():
            await rollouts.open_rollout(conn, self.opening())
        return self

    async def watch(self, *cohorts: CohortMembers, **standing: Any) -> None:
        """Make the cohorts watched, as a rollout does when it records that they are enrolled."""
        async with self.pool.acquire() as conn:
            await rollouts.update_standing(conn, self.key, self.standing(watched=cohorts, **standing), 1)

    def opening(self) -> OpenRequest:
        return OpenRequest(
            key=self.key,
            plan=self.plan,
            plan_digest=self.plan.digest,
            clock=self.clock,
            decisions=self.plan.decisions or Decisions.UNSIGNED,
        )

    def standing(self, **changes: Any) -> Standing:
        fields = {
            "phase": "pilot",
            "wave": None,
            "status": "running",
            "sentence": "goes on",
            "since": START,
            "open": True,
            "tolerance_since": START,
        }
        return Standing(**{**fields, **changes})

    def resolving(self, *specs: CohortSpec, as_of: datetime = START) -> ResolveRequest:
        return ResolveRequest(key=self.key, specs=specs or self.plan.cohort_specs(), as_of=as_of)

    def enrolling(self, cohort: str | CohortMembers = PILOT_COHORT, **changes: Any) -> EnrolRequest:
        fields = {"key": self.key, "phase": "pilot", "wave": None, "cohort": cohort, "at": START}
        return EnrolRequest(**{**fields, **changes})

    def recording(self, *entries: LogEntry, run: str = "run-1", **standing: Any) -> RecordRequest:
        return RecordRequest(key=self.key, run_id=run, entries=entries, standing=self.standing(**standing))

    def fetching(self, as_of: datetime = START, *cohorts: CohortMembers, days: int = 28) -> FetchRequest:
        return FetchRequest(
            key=self.key,
            purpose="pilot",
            as_of=as_of,
            cohorts=cohorts or (PILOT_COHORT,),
            windows={metric.metric: days * DAY for metric in self.plan.metrics},
        )

    def assessing(
        self, digest: str, since: datetime = START - 30 * DAY, baselines: Sequence[Baseline] = (), **changes: Any
    ) -> AssessRequest:
        fields = {
            "key": self.key,
            "snapshot_digest": digest,
            "plan_digest": self.plan.digest,
            "phase": "pilot",
            "tolerance_since": since,
            "baselines": tuple(baselines),
        }
        return AssessRequest(**{**fields, **changes})


def entry(sequence: int, message: str = "something happened", **fields: Any) -> LogEntry:
    return LogEntry(
        sequence=sequence,
        at=START,
        programme_at=START,
        kind=EntryKind.PHASE,
        phase="pilot",
        message=message,
        **fields,
    )


def selecting(name: str, limit: int | None = None, **values: tuple[str, ...]) -> CohortSpec:
    return CohortSpec(name=name, select=Selector(limit=limit, **values))


def naming(name: str, *partners: str) -> CohortSpec:
    return CohortSpec(name=name, partners=partners)


def notice(number: int = 1, *roles: str, kind: str = "paused", subject: str = "Test plan: paused") -> Notice:
    return Notice(
        notice_id=f"test-plan/chain-1/{number}/{kind}",
        kind=kind,
        roles=roles or ("sponsor", "revops_owner"),
        subject=subject,
        body="The lead follow-up SLA of pilot is not met.",
    )
