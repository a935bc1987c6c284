"""The watch's look at all open rollouts: measure and judge each at its own programme time, tell of changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog
from temporalio import activity
from temporalio.client import Client

from activities.errors import store_errors
from activities.measuring import judge_snapshot, measure
from models.base import Frozen, Instant, digest_json
from models.command import WATCH_ACTOR, Command, ReportBreach, ReportEvidence, Verb
from models.evidence import Assessment, MetricAssessment, Verdict
from models.metric import MetricUse
from models.names import rollout_workflow_id
from models.work import TickRequest, TickResult
from store import marks, rollouts
from store.marks import WatchMark
from store.pool import Connection
from store.rollouts import StoredRollout

log = structlog.get_logger(__name__)

SHORTEST = timedelta(milliseconds=200)
"""Least real time between two ticks, whatever the speed of a rollout."""

DAILY = timedelta(days=1)
"""Programme time after which the watch speaks even if nothing has changed."""


class Word(Frozen):
    """What the watch has to tell a rollout."""

    verb: Verb
    command: Command


class Looked(Frozen):
    """What a look at one rollout did."""

    evaluated: bool = False
    signalled: bool = False
    failed: bool = False
    digest: str = ""
    due: Instant


class WatchActivities:
    """The tick."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client) -> None:
        self._pool = pool
        self._client = client

    @activity.defn
    async def evaluate_open_rollouts(self, request: TickRequest) -> TickResult:
        """Evaluate every open rollout whose cadence is due; one that fails does not keep the others.

        Key: the signals' request ids, derived from what was seen, so that a repeated tick repeats them.
        """
        with store_errors():
            async with self._pool.acquire() as conn:
                found = await rollouts.open_rollouts(conn)
        looks = [await self._look(one, request.real_now) for one in found]
        waits = [look.due - request.real_now for look in looks]
        return TickResult(
            looked_at=len(looks),
            evaluated=sum(look.evaluated for look in looks),
            signalled=sum(look.signalled for look in looks),
            failed=sum(look.failed for look in looks),
            digest=digest_json([look.digest for look in looks]),
            next_in=max(SHORTEST, min([request.slowest, *waits])),
        )

    async def _look(self, rollout: StoredRollout, real_now: datetime) -> Looked:
        now = rollout.clock.programme(real_now)
        following = now + rollout.plan.phases.cadence
        try:
            with store_errors():
                async with self._pool.acquire() as conn:
                    mark = await marks.read_mark(conn, rollout.key)
                    due = mark.evaluated_at + rollout.plan.phases.cadence if mark else now
                    if not rollout.standing.watched:
                        return Looked(due=rollout.clock.real(following))
                    if now < due:
                        return Looked(due=rollout.clock.real(due))
                    assessment = await self._evaluate(conn, rollout, now)
            word = next_word(rollout, assessment, mark, now)
            if word is not None:
                await self._client.get_workflow_handle(rollout_workflow_id(rollout.key.rollout_id)).signal(
                    word.verb.value, word.command
                )
            with store_errors():
                async with self._pool.acquire() as conn:
                    await marks.write_mark(conn, rollout.key, next_mark(mark, assessment, now, told=word is not None))
        except Exception as problem:
            # One rollout's trouble must not blind the watch to the others; its own watchdog speaks for it.
            log.warning("rollout not evaluated", rollout=rollout.key.rollout_id, problem=str(problem)[:300])
            return Looked(failed=True, due=rollout.clock.real(following))
        return Looked(
            evaluated=True, signalled=word is not None, digest=assessment.digest, due=rollout.clock.real(following)
        )

    async def _evaluate(self, conn: Connection, rollout: StoredRollout, now: datetime) -> Assessment:
        windows = {metric.metric: metric.window for metric in rollout.plan.metrics}
        standing = rollout.standing
        snapshot = await measure(conn, rollout.key, "watch", now, standing.watched, windows)
        since = standing.tolerance_since or now
        return await judge_snapshot(conn, rollout.key, rollout.plan, snapshot, standing.baselines, since, "watch")


def next_word(rollout: StoredRollout, assessment: Assessment, mark: WatchMark | None, now: datetime) -> Word | None:
    """What to tell: a guardrail newly not met, any other change, or once a programme day that all is as it was."""
    seen = signature(assessment)
    told = mark.breached if mark else ()
    newly = [item for item in assessment.items if _is_breach(item) and _name(item) not in told]
    common: dict[str, Any] = {
        "request_id": _request_id(rollout, assessment, seen),
        "actor": WATCH_ACTOR,
        "as_of": assessment.as_of,
    }
    if newly:
        reason = f"{newly[0].metric.value} of {newly[0].cohort} is not met: {'; '.join(newly[0].reasons)}"[:2000]
        command = ReportBreach(metric=newly[0].metric, cohort=newly[0].cohort, reason=reason, **common)
        return Word(verb=Verb.REPORT_BREACH, command=command)
    changed = mark is None or mark.signature != seen
    if changed or mark is None or mark.told_at is None or now >= mark.told_at + DAILY:
        reason = "the picture has changed" if changed else "nothing has changed"
        command_ = ReportEvidence(changed=changed, reason=reason, evidence_digest=assessment.digest, **common)
        return Word(verb=Verb.REPORT_EVIDENCE, command=command_)
    return None


def next_mark(mark: WatchMark | None, assessment: Assessment, now: datetime, *, told: bool) -> WatchMark:
    """What to remember of a look."""
    return WatchMark(
        evaluated_at=now,
        told_at=now if told else (mark.told_at if mark else None),
        signature=signature(assessment),
        breached=tuple(_name(item) for item in assessment.items if _is_breach(item)),
    )


def signature(assessment: Assessment) -> str:
    """The picture a rollout cares about: when it is the same, there is nothing new to tell."""
    return digest_json(
        [
            [item.cohort, item.metric.value, item.verdict.value, item.data_current, item.minimum_sample_reached]
            for item in assessment.items
        ]
        + [[one.condition, one.cohort] for one in assessment.stop]
    )


def _is_breach(item: MetricAssessment) -> bool:
    return item.use is MetricUse.GUARDRAIL and item.verdict is Verdict.NOT_MET


def _name(item: MetricAssessment) -> str:
    return f"{item.cohort}/{item.metric.value}"


def _request_id(rollout: StoredRollout, assessment: Assessment, seen: str) -> str:
    found = digest_json([rollout.key.rollout_id, rollout.key.chain_id, assessment.as_of.isoformat(), seen])
    return f"watch-{found.removeprefix('sha256:')[:24]}"
