"""One look at some open rollouts: measure and judge them together, each at its own programme time; tell of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

import asyncpg
import structlog
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.agenda import EVERYTHING, Metrics
from activities.doubting import Doubted, tell_untrusted
from activities.errors import borrowed, named_errors
from activities.maturing import NO_STRETCHES, Stretches, frozen_rows, judged_by_change, stretches, sums_of
from activities.measuring import WATCH, Ask, counted, measure_all
from activities.telling import Sight, Word, next_mark, next_word
from activities.warning import warn_ahead
from activities.weighing import whom_to_compare
from judgement.assessment import assess
from judgement.band import LOOKED_BACK
from judgement.changes import Sums
from judgement.quality import asked_of_cohorts
from models.command import Verb
from models.evidence import Assessment
from models.metric import MetricName
from models.names import rollout_workflow_id
from models.vouching import proof_of
from models.work import RolloutKey
from store import enrolments, evidence, marks, seeds
from store.evidence import Before, BeforeAsked, Judgement, Measured
from store.marks import WatchMark
from store.pool import Connection, Pool
from store.rollouts import StoredRollout
from store.watched import Watched

log = structlog.get_logger(__name__)

TOGETHER = 25
"""Rollouts measured in one go. They share what each statement costs by itself, and their partners are still so few that
facts are found by index; what they need in memory, and what one that fails spoils, stays bounded."""

KNOWN = 1000
"""Rollouts whose seeds a process remembers."""

SIGNALS_AT_ONCE = 20
SIGNAL_WITHIN = timedelta(seconds=5)


class Task(NamedTuple):
    """A rollout to look at, at a programme time."""

    rollout: StoredRollout
    now: datetime
    metrics: Metrics


class Seen(NamedTuple):
    """What came of a task."""

    key: RolloutKey
    evaluated: bool = False
    signalled: bool = False
    failed: bool = False
    gone: bool = False
    digest: str = ""


_Told: TypeAlias = list[BaseException | None]
"""What went wrong with each; None where nothing did."""


class _Judged(NamedTuple):
    task: Task
    measured: Measured
    assessment: Assessment
    mark: WatchMark | None
    sight: Sight
    word: Word | None

    @property
    def halts(self) -> bool:
        """Whether the rollout is told of a breach."""
        return self.word is not None and self.word.verb is Verb.REPORT_BREACH

    def vouched(self, seed: bytes | None) -> _Judged:
        """The same with a word that proves to be the watch's; a rollout that began before there were seeds has none."""
        if self.word is None or seed is None:
            return self
        proof = proof_of(seed, self.task.rollout.clock.programme_start, self.word.command.as_of)
        word = self.word._replace(command=self.word.command.model_copy(update={"proof": proof}))
        return self._replace(word=word)


class Looker:
    """Looks at rollouts and tells them what they need to know."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client) -> None:
        self._pool = pool
        self._client = client
        self._seeds: dict[RolloutKey, bytes | None] = {}
        self._watched = Watched()

    async def look(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> tuple[Seen, ...]:
        """Measure, judge, keep, tell, doubt, remember, warn; in this order, so that a crash in between repeats a
        word, under the same request id, and never swallows one. One rollout's trouble must not blind the watch to the
        others."""
        seen = list[Seen]()
        for some in _portions(due):
            seen += await self._together({key: due[key] for key in some}, real_now)
        return tuple(seen)

    async def _together(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> list[Seen]:
        try:
            judged, told = await self._tell_of(due, real_now)
        except Exception as problem:
            if len(due) == 1:
                return [_failed(key, problem) for key in due]
            # Whoever waits for the look should know why it takes so long.
            log.warning("rollouts_looked_at_one_by_one", rollouts=len(due), problem=str(problem)[:300])
            return [seen for key in due for seen in await self._together({key: due[key]}, real_now)]
        await self._doubt(judged)
        await self._remember([one for one, problem in zip(judged, told, strict=True) if problem is None])
        await self._warn(judged)
        return [
            _failed(one.task.rollout.key, problem) if problem else _looked(one)
            for one, problem in zip(judged, told, strict=True)
        ]

    async def _tell_of(
        self, due: Mapping[RolloutKey, Metrics], real_now: datetime
    ) -> tuple[list[_Judged], list[BaseException | None]]:
        """Measure, judge, keep and tell; with each what went wrong telling it. Breaches come before all else: a rollout
        that is to halt must not wait until everything that is said of the others is kept, nor for what is measured as
        of another moment."""
        halting, others, words = list[_Judged](), list[_Judged](), list[asyncio.Task[_Told]]()
        try:
            async with borrowed(self._pool) as conn:
                found = await self._watched.read(conn, list(due))
                seen = {one.key: mark for one, mark in found}
                tasks = [
                    Task(one, one.clock.programme(real_now), due[one.key])
                    for one, _ in found
                    if one.standing.open and one.standing.watched
                ]
                for some in _in_turns(tasks):
                    judged = await self._vouched(conn, await _judge(conn, self._pool, some, seen))
                    halts = [one for one in judged if one.halts]
                    if halts:
                        await _keep(conn, halts)
                        words.append(asyncio.create_task(self._tell(halts)))
                    halting += halts
                    others += [one for one in judged if not one.halts]
                told = [problem for some in await asyncio.gather(*words) for problem in some]
                if others:
                    await _keep(conn, others)
                    told += await self._tell(others)
        finally:
            # Whatever went wrong with others, a word that is on its way arrives.
            if words:
                await asyncio.wait(words)
        return halting + others, told

    async def _vouched(self, conn: Connection, judged: Sequence[_Judged]) -> list[_Judged]:
        """With the proof that a word is the watch's. A seed never changes, so it is read once."""
        told = [one.task.rollout.key for one in judged if one.word is not None]
        missing = [key for key in told if key not in self._seeds]
        if missing:
            found = await seeds.read_seeds(conn, missing)
            self._seeds |= {key: found.get(key) for key in missing}
        with_proof = [one.vouched(self._seeds.get(one.task.rollout.key)) for one in judged]
        for key in list(self._seeds)[:-KNOWN]:
            del self._seeds[key]
        return with_proof

    async def _tell(self, judged: Sequence[_Judged]) -> _Told:
        """What went wrong with each; None where nothing did."""
        gate = asyncio.Semaphore(SIGNALS_AT_ONCE)

        async def tell(one: _Judged) -> None:
            if one.word is not None:
                async with gate:
                    await self._signal(one.task.rollout.key, one.word)

        return list(await asyncio.gather(*map(tell, judged), return_exceptions=True))

    async def _signal(self, key: RolloutKey, word: Word) -> None:
        handle = self._client.get_workflow_handle(rollout_workflow_id(key.rollout_id))
        with named_errors():
            try:
                await handle.signal(word.verb.value, word.command, rpc_timeout=SIGNAL_WITHIN)
            except RPCError as problem:
                if problem.status is RPCStatusCode.NOT_FOUND:
                    told = f"the store has rollout {key.rollout_id} open, but no workflow runs for it"
                    raise ApplicationError(told, type="RolloutGone") from problem
                raise

    async def _remember(self, judged: Sequence[_Judged]) -> None:
        """A look at some metrics that saw nothing new leaves nothing to remember."""
        new = {
            one.task.rollout.key: next_mark(one.sight, one.mark, told=one.word is not None)
            for one in judged
            if one.sight.whole or one.word is not None
        }
        if new:
            async with borrowed(self._pool) as conn:
                await marks.write_marks(conn, new)

    async def _doubt(self, judged: Sequence[_Judged]) -> None:
        """Before what was seen is remembered, which says whether it is new. Nor is this a reason to fail: what was
        found stands in the evidence, and the rollout was told of it."""
        looks = [
            Doubted(one.task.rollout, one.assessment, one.mark)
            for one in judged
            if any(item.untrusted for item in one.assessment.items)
        ]
        if not looks:
            return
        try:
            async with borrowed(self._pool) as conn:
                await tell_untrusted(conn, looks)
        except Exception as problem:
            log.warning("nobody_told_of_data", problem=str(problem)[:300])

    async def _warn(self, judged: Sequence[_Judged]) -> None:
        """A warning is no reason for a look to fail: the next look warns as well."""
        try:
            async with borrowed(self._pool) as conn:
                await warn_ahead(conn, [(one.task.rollout, one.measured, one.assessment) for one in judged])
        except Exception as problem:
            log.warning("nobody_warned", problem=str(problem)[:300])


async def _judge(
    conn: Connection, pool: Pool, tasks: Sequence[Task], seen: Mapping[RolloutKey, WatchMark | None]
) -> list[_Judged]:
    changes = await _stretches(conn, tasks)
    before = await _before(conn, tasks)
    measured = await measure_all(conn, _asks(tasks, changes, before), pool)
    sums = {
        task.rollout.key: await _sums(conn, task, one, changes[task.rollout.key])
        for task, one in zip(tasks, measured, strict=True)
    }
    return [
        _judged(task, one, seen[key], before[key].past, sums[key])
        for task, one in zip(tasks, measured, strict=True)
        for key in (task.rollout.key,)
    ]


def _in_turns(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """What is measured before anybody is told of it. Looks at everything go together. The others, which facts and
    deadlines call for, share no read unless they share a moment: those of one moment come after the other, the fewest
    first, so that as few as can be wait for as little as can be."""
    turns: dict[datetime | None, list[Task]] = {}
    for one in tasks:
        turns.setdefault(None if one.metrics is EVERYTHING else one.now, []).append(one)
    yield from sorted(turns.values(), key=len)


async def _stretches(conn: Connection, tasks: Sequence[Task]) -> dict[RolloutKey, Stretches]:
    """The matured days to measure, of rollouts that judge a change of what is looked at."""
    found = {task.rollout.key: NO_STRETCHES for task in tasks}
    judging = [task for task in tasks if judged_by_change(task.rollout.plan, task.metrics)]
    enrolled = await enrolments.enrolled_at(conn, [(task.rollout.key, task.now) for task in judging]) if judging else {}
    for task in judging:
        rollout, cohorts = task.rollout, task.rollout.standing.watched
        names = tuple(one.name for one in cohorts)
        beside = await whom_to_compare(conn, rollout.key, rollout.plan, names, task.now)
        found[rollout.key] = stretches(rollout.plan, cohorts, beside, enrolled[rollout.key], task.now, task.metrics)
    return found


async def _before(conn: Connection, tasks: Sequence[Task]) -> dict[RolloutKey, Before]:
    """What earlier looks said."""
    asked = [BeforeAsked(one.rollout.key, _since(one), one.now, one.now - LOOKED_BACK) for one in tasks]
    return await evidence.looks_before(conn, asked, {metric for one in tasks for metric in _windows(one)})


def _asks(
    tasks: Sequence[Task], changes: Mapping[RolloutKey, Stretches], before: Mapping[RolloutKey, Before]
) -> list[Ask]:
    """What to measure, with what earlier looks found."""
    return [
        Ask(
            one.now,
            one.rollout.standing.watched,
            _windows(one),
            changes=changes[key],
            earlier=before[key].values,
            alone=asked_of_cohorts(one.rollout.plan.metrics),
        )
        for one in tasks
        for key in (one.rollout.key,)
    ]


async def _sums(conn: Connection, task: Task, measured: Measured, changes: Stretches) -> Sums | None:
    if not changes.matured:
        return None
    rollout = task.rollout
    metrics = {one.metric for one in changes.matured}
    before = await frozen_rows(conn, rollout.key, rollout.standing.baselines, metrics)
    return sums_of(measured, before, changes.beside)


def _judged(task: Task, measured: Measured, mark: WatchMark | None, past: evidence.Past, sums: Sums | None) -> _Judged:
    rollout = task.rollout
    assessment = assess(rollout.plan, measured.snapshot, rollout.standing.baselines, past, sums=sums)
    sight = Sight(
        key=rollout.key,
        assessment=assessment,
        cohorts={cohort.name for cohort in rollout.standing.watched},
        whole=task.metrics is None,
        since=_since(task),
        short=rollout.short_words,
    )
    return _Judged(task, measured, assessment, mark, sight, next_word(sight, mark))


async def _keep(conn: Connection, judged: Sequence[_Judged]) -> None:
    """What a rollout is told of is kept whole; of a quiet look at everything the verdicts and the digest are enough.

    Nobody waits for the disk: the mark, which says that it was told, is written after it, and so is the rollout's own
    judgement of it. A rollout that is told of what a crash has taken looks for itself.
    """
    kept = []
    for one in judged:
        verdicts = counted(one.task.rollout.key, one.assessment)
        if one.word is not None:
            kept.append(Judgement(verdicts, measured=one.measured))
        elif one.sight.whole:
            kept.append(Judgement(verdicts, whole=False))
    await evidence.keep_judgements(conn, WATCH, kept, lasting=False)


def _portions(due: Mapping[RolloutKey, Metrics]) -> Iterator[tuple[RolloutKey, ...]]:
    """What is measured in one go. Looks at some metrics, which facts and deadlines call for, are short and come first;
    the daily ones at everything can wait for them."""
    some = [key for key, metrics in due.items() if metrics is not EVERYTHING]
    for keys in (some, [key for key, metrics in due.items() if metrics is EVERYTHING]):
        for first in range(0, len(keys), TOGETHER):
            yield tuple(keys[first : first + TOGETHER])


def _windows(task: Task) -> Mapping[MetricName, timedelta]:
    metrics = task.rollout.plan.metrics
    return {one.metric: one.window for one in metrics if task.metrics is None or one.metric in task.metrics}


def _since(task: Task) -> datetime:
    return task.rollout.standing.tolerance_since or task.now


def _looked(one: _Judged) -> Seen:
    return Seen(one.task.rollout.key, evaluated=True, signalled=one.word is not None, digest=one.assessment.digest)


def _failed(key: RolloutKey, problem: BaseException) -> Seen:
    if not isinstance(problem, Exception):
        raise problem
    gone = isinstance(problem, ApplicationError) and problem.type == "RolloutGone"
    event = "rollout_without_workflow" if gone else "rollout_not_evaluated"
    log.error(event, rollout=key.rollout_id, chain=key.chain_id, problem=str(problem)[:300])
    return Seen(key, failed=True, gone=gone)
