"""Requests and results of the activities, as they stand in workflow history."""

from __future__ import annotations

from datetime import timedelta

from models.base import Duration, Frozen, Instant
from models.clock import ProgrammeClock
from models.evidence import Baseline
from models.log import LogEntry
from models.metric import MetricName
from models.plan import CohortSpec, Fate, RolloutPlan
from models.rollout import CohortMembers, Notice, RolloutState


class RolloutInput(Frozen):
    """What starts a rollout. `clock_start` and `clock_speed` set the programme clock; `state` carries a chain on."""

    plan: RolloutPlan
    clock_start: Instant | None = None
    clock_speed: float = 1.0
    state: RolloutState | None = None


class RolloutResult(Frozen):
    """How a rollout ended."""

    rollout_id: str
    status: str
    entries: int
    enrolled: tuple[str, ...]
    withdrawn: tuple[str, ...]


class RolloutKey(Frozen):
    """A rollout in the store: its id (the plan's), and the first run of its chain."""

    rollout_id: str
    chain_id: str


class OpenRequest(Frozen):
    """Register a rollout in the store so that the watch and the lists see it. Key: rollout and chain."""

    key: RolloutKey
    plan: RolloutPlan
    plan_digest: str
    clock: ProgrammeClock


class ResolveRequest(Frozen):
    """Resolve the plan's cohorts as of a moment and freeze them. Key: rollout, chain and cohort."""

    key: RolloutKey
    specs: tuple[CohortSpec, ...]
    as_of: Instant


class FetchRequest(Frozen):
    """Measure metrics of cohorts as of a moment. `windows` gives each metric's length.

    Key: the digest of what was read, so that a repeated read of the same facts is the same evidence.
    """

    key: RolloutKey
    purpose: str
    as_of: Instant
    cohorts: tuple[CohortMembers, ...]
    windows: dict[MetricName, Duration]


class AssessRequest(Frozen):
    """Judge a snapshot in the store against the plan in the store. `tolerance_since` starts the count of
    breaches. Key: the digests of snapshot and plan, and `tolerance_since`."""

    key: RolloutKey
    snapshot_digest: str
    plan_digest: str
    phase: str
    tolerance_since: Instant
    baselines: tuple[Baseline, ...]


class EnrolRequest(Frozen):
    """Make the change real for a cohort, or take it back. Key: rollout, chain, phase, wave and partner."""

    key: RolloutKey
    phase: str
    wave: int | None
    cohort: CohortMembers
    at: Instant
    fate: Fate = Fate.KEEP


class EnrolResult(Frozen):
    """How many partners are in (or out) now, and how many of them this very call changed."""

    cohort: str
    partners: int
    changed: int


class Standing(Frozen):
    """The few facts of a rollout that lists show and the watch needs; the store keeps the latest."""

    phase: str
    wave: int | None
    status: str
    sentence: str
    since: Instant
    open: bool
    watched: tuple[CohortMembers, ...] = ()
    tolerance_since: Instant | None = None
    baselines: tuple[Baseline, ...] = ()


class RecordRequest(Frozen):
    """Append entries to the decision log and update the standing. Key: rollout, chain and sequence."""

    key: RolloutKey
    run_id: str
    entries: tuple[LogEntry, ...]
    standing: Standing


class NotifyRequest(Frozen):
    """Send notices to the owners who hold the roles. Key: the notice id."""

    key: RolloutKey
    notices: tuple[Notice, ...]


class TickRequest(Frozen):
    """One look of the watch at all open rollouts of its shard, or one stay with them.

    `real_now` is the watch workflow's own clock. A `stay` keeps watch so long, wakes on every change of a fact, and
    asks the journal by itself every `slowest` at the latest; zero looks once.
    """

    real_now: Instant
    slowest: timedelta
    stay: timedelta = timedelta(0)
    shard: int = 0
    shards: int = 1


class TickResult(Frozen):
    """What a tick did: rollouts looked at, evaluated and signalled, a digest of the rows written, and when to
    look again at the latest."""

    looked_at: int
    evaluated: int
    signalled: int
    failed: int
    digest: str
    next_in: timedelta


class WatchInput(Frozen):
    """What starts a shard of the watch: the longest real time between two looks, how long it stays awake in between
    (zero: it sleeps), which of how many shards it is, and the ticks of earlier runs."""

    slowest: timedelta = timedelta(minutes=5)
    stay: timedelta = timedelta(0)
    shard: int = 0
    shards: int = 1
    ticks: int = 0


class WatchView(Frozen):
    """What the watch answers when asked: how often it looked, and what the latest look did."""

    ticks: int
    last: TickResult | None = None
    last_at: Instant | None = None
    failed_at: Instant | None = None
    problem: str | None = None
