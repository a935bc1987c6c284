"""Runs a plan over recorded facts: the workflow, the watch and the activities themselves, its owners by a script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import structlog
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from cli.backtest.owners import Due, ScriptedOwners
from cli.backtest.server import Stranded, open_task, skipped_time
from models.backtest import Look, Trace
from models.command import COMMANDS, Verb
from models.evidence import Assessment, Verdict
from models.log import EntryKind, LogEntry
from models.metric import MetricName
from models.names import ROLLOUT, TASK_QUEUE, WATCH_ID, rollout_workflow_id
from models.plan import Decisions, RolloutPlan
from models.rollout import HoldKind, RolloutView
from models.script import Script
from models.work import RolloutInput, WatchInput
from store.scratch import scratch
from store.statements import statement
from worker.serving import serving

DAY = timedelta(days=1)
ASIDE = timedelta(minutes=7)
"""The owners speak so long after the moment that calls for it: a request just as one of the rollout's timers fires may
make the server lose the run."""

SOON = timedelta(minutes=1)
"""After somebody has spoken, what came of it is looked at so soon."""

QUIET = 15.0
"""Real seconds in which a simulated day has not passed, after which it is asked whether the server has lost a run."""

_BROKEN = tuple(f"Holding ({kind.value})" for kind in (HoldKind.STORE, HoldKind.WATCH_SILENT))

ATTEMPTS = 3
"""Times that a run is begun before the server is given up."""

_READINGS = statement("scratch/readings")
_STANDING = "select sequence, status, phase, wave, sentence, open from rollout"
_NEW_ENTRIES = "select entry from decision_log where sequence > $1 order by sequence"
_ASSESSMENTS = "select body from evidence where kind = 'assessment' order by as_of, recorded_at"
_COHORTS = "select name, cardinality(partners) as size from rollout_cohort order by position"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """What the activities note in a worker's log is no result: only errors are told, on stderr."""
    before = structlog.get_config() if structlog.is_configured() else None
    sdk = logging.getLogger("temporalio")
    level = sdk.level
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    sdk.setLevel(logging.ERROR)
    try:
        yield
    finally:
        sdk.setLevel(level)
        structlog.reset_defaults()
        if before is not None:
            structlog.configure(**before)


class Span(NamedTuple):
    """From when to when, in programme time."""

    begins: datetime
    ends: datetime


class Ran(NamedTuple):
    """What came of it, and how often it had to be begun."""

    trace: Trace
    begun: int


class NotRun(Exception):
    """The run came to nothing; the message says why."""


async def run_over(
    dsn: str,
    plan: RolloutPlan,
    script: Script,
    span: Span,
    advance: Callable[[int, int], None],
    tell: Callable[[str], None],
) -> Ran:
    """Run a plan over a span, begun anew where the server loses the run.

    Args:
        advance: told of the days that are over, and of how many there are.

    Raises:
        NotRun: it was lost `ATTEMPTS` times, or an activity could not do its work.
        NotInstalledError: the time-skipping server is not installed.
        ScratchRefused, ScratchLost: the database does not let it write tables of its own.
    """
    # Nobody in a script has a key to sign with; all else of the plan is as it stands.
    unsigned = plan.model_copy(update={"decisions": Decisions.UNSIGNED}) if plan.decisions else plan
    failed: str | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Ran(await _once(dsn, unsigned, script, span, advance), attempt)
        except Stranded as lost:
            failed = lost.failed
            tell(f"The time-skipping server has lost the run (sdk-java#3088), {attempt} of at most {ATTEMPTS} times.")
    lost_it = f"the time-skipping server has lost the run {ATTEMPTS} times (temporalio/sdk-java#3088)"
    raise NotRun(f"the rollout could not begin its log: {failed}; {lost_it}" if failed else lost_it)


async def _once(dsn: str, plan: RolloutPlan, script: Script, span: Span, advance: Callable[[int, int], None]) -> Trace:
    async with (
        scratch(dsn) as pool,
        skipped_time() as (environment, client),
        # The one connection is taken in turn: more at a time would only wait for it with their time running.
        serving(client, pool, TASK_QUEUE, watch=WatchInput(slowest=DAY), max_concurrent_activities=1),
    ):
        rollout = await client.start_workflow(
            ROLLOUT,
            RolloutInput(plan=plan, clock_start=span.begins),
            id=rollout_workflow_id(plan.id),
            task_queue=TASK_QUEUE,
        )
        run = _Run(environment, client, pool, plan, ScriptedOwners(plan, script, span.begins))
        try:
            return await run.to_its_end(span, advance)
        finally:
            # Not while the worker runs on: it at times never ends when it hears, just as it is shut down, that an
            # activity it works on has lost its workflow.
            for one in (WATCH_ID, rollout.id):
                with contextlib.suppress(RPCError):
                    await client.get_workflow_handle(one).terminate("the backtest is over")


def _together(due: list[Due]) -> list[Due]:
    """What is said at once: whoever decides after another one looks first what has come of it."""
    alone = next((one for one in due if one.act.verb is not Verb.CONFIRM_OWNERSHIP), None)
    return [one for one in due if one is alone or one.act.verb is Verb.CONFIRM_OWNERSHIP]


class _Run:
    """One run on one server: lets time pass, and lets the owners speak."""

    def __init__(
        self,
        environment: WorkflowEnvironment,
        client: Client,
        pool: asyncpg.Pool[Any],
        plan: RolloutPlan,
        owners: ScriptedOwners,
    ) -> None:
        self._environment = environment
        self._pool = pool
        self._plan = plan
        # By its id alone: the run that began it may have handed on to another one.
        self._handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(rollout_workflow_id(plan.id))
        self._watch: WorkflowHandle[Any, Any] = client.get_workflow_handle(WATCH_ID)
        self._watched = False
        self._owners = owners
        self._log: list[LogEntry] = []
        self._view: RolloutView | None = None
        self._coming: tuple[Due, ...] = ()

    async def to_its_end(self, span: Span, advance: Callable[[int, int], None]) -> Trace:
        """A day at a time, or less where an owner speaks sooner, until it is over or the span is."""
        days, day = (span.ends - span.begins) // DAY, 0
        offset = await self._environment.get_current_time() - span.begins
        now = span.begins
        while True:
            new = await self._read_log()
            standing = await self._pool.fetchrow(_STANDING)
            is_open = standing is None or standing["open"]
            now = await self._environment.get_current_time() - offset
            day = max(day, min(days, (now - span.begins) // DAY))
            advance(day if is_open and now < span.ends else days, days)
            await self._must_work(new, begun=bool(self._log) or now < span.begins + ASIDE)
            if not is_open or now >= span.ends:
                over = min(now, span.ends) if is_open or not self._log else self._log[-1].programme_at
                return await self._left(span, over)
            spoken = await self._speak(now, standing["sequence"] if standing else 0)
            following = span.begins + (day + 1) * DAY + ASIDE
            moments = [following, span.ends, *(one.at + ASIDE for one in self._coming)]
            try:
                await self._pass(SOON if spoken else max(SOON, min(one for one in moments if one > now) - now))
            except Stranded as lost:
                # What is tried again and again makes it likely that the server loses the run: then that is the reason.
                raise Stranded(str(lost), None if self._log else await self._what_failed()) from lost

    async def _speak(self, now: datetime, newest: int) -> bool:
        """Whoever is to ask something by now does; whether anybody did."""
        if newest and (self._view is None or self._view.entries != newest):
            self._view = await self._ask_status()
        if self._view is None:
            self._coming = ()
            return False
        due = self._owners.due(self._view)
        spoken = _together([one for one in due if one.at + ASIDE <= now])
        for one in spoken:
            body = {"request_id": str(uuid4()), "actor": one.act.owner.identity, "reason": one.act.reason}
            command = COMMANDS[one.act.verb].model_validate(body | dict(one.act.fields))
            await self._handle.signal(one.act.verb.value, command)
            self._owners.asked(one)
        self._coming = tuple(one for one in due if one not in spoken)
        if spoken:
            self._view = None
        return bool(spoken)

    async def _ask_status(self) -> RolloutView | None:
        """None where it does not answer at once, as just when it has news that nobody took yet: ask again soon."""
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            found: RolloutView = await self._handle.query("status", result_type=RolloutView)
            return found
        return None

    async def _read_log(self) -> list[LogEntry]:
        newest = self._log[-1].sequence if self._log else 0
        rows = await self._pool.fetch(_NEW_ENTRIES, newest)
        entries = [LogEntry.model_validate_json(json.dumps(row["entry"])) for row in rows]
        self._owners.heard(entries)
        self._log += entries
        return entries

    async def _pass(self, wait: timedelta) -> None:
        """Let programme time pass.

        Raises:
            Stranded: the server has lost the rollout or the watch.
        """
        sleeping = asyncio.ensure_future(self._environment.sleep(wait))
        open_before: tuple[int | None, ...] = ()
        try:
            while not (await asyncio.wait({sleeping}, timeout=QUIET))[0]:
                open_now = await self._open_tasks()
                if any(one is not None and one == before for one, before in zip(open_now, open_before, strict=False)):
                    raise Stranded("a worker's task stays open")
                open_before = open_now
            await sleeping
        except RPCError as problem:
            raise Stranded(problem.message) from problem
        finally:
            sleeping.cancel()

    async def _open_tasks(self) -> tuple[int | None, ...]:
        """The open tasks of the rollout and of the watch, which only begins when the rollout has been registered."""
        ours = await open_task(self._handle)
        try:
            theirs = await open_task(self._watch)
        except RPCError as problem:
            if self._watched or problem.status is not RPCStatusCode.NOT_FOUND:
                raise
            return (ours,)
        self._watched = True
        return ours, theirs

    async def _must_work(self, log: Iterable[LogEntry], *, begun: bool) -> None:
        """A rollout holds while the store fails or the watch is silent, for as long as it takes; here nobody comes.

        Raises:
            NotRun: an activity could not do its work.
        """
        for entry in log:
            if entry.kind is EntryKind.HOLD and entry.message.startswith(_BROKEN):
                raise NotRun(f"{entry.message}; nobody mends that in a backtest")
        if not begun:
            raise NotRun(f"the rollout could not begin its log: {await self._what_failed() or 'no activity has ended'}")

    async def _what_failed(self) -> str | None:
        """What the newest failure of an activity says, those that are tried again among them; None where none did."""
        trying = (await self._handle.describe()).raw_description.pending_activities
        history = await self._handle.fetch_history()
        failures = [one.activity_task_failed_event_attributes.failure for one in history.events]
        told = [one.message for one in (*failures, *(one.last_failure for one in trying)) if one.message]
        return told[-1] if told else None

    async def _left(self, span: Span, through: datetime) -> Trace:
        standing = await self._pool.fetchrow(_STANDING)
        if standing is None:
            raise NotRun("the rollout left nothing behind")
        looks = await self._pool.fetch(_READINGS)
        assessments = await self._pool.fetch(_ASSESSMENTS)
        return Trace(
            plan=self._plan,
            begins=span.begins,
            through=through,
            status=standing["status"],
            sentence=standing["sentence"],
            cohorts={row["name"]: row["size"] for row in await self._pool.fetch(_COHORTS)},
            log=tuple(self._log),
            looks=tuple(
                Look(row["cohort"], MetricName(row["metric"]), row["as_of"], row["value"], Verdict(row["verdict"]))
                for row in looks
            ),
            assessments=tuple(Assessment.model_validate_json(json.dumps(row["body"])) for row in assessments),
        )
