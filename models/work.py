"""Requests and results of the activities, as they stand in workflow history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationInfo, field_serializer, field_validator
from pydantic_core import to_json

from models.base import Duration, Frozen, Grown, Instant
from models.brief import Lean
from models.clock import ProgrammeClock
from models.evidence import Baseline
from models.letter import notice_head
from models.log import LogEntry
from models.metric import MetricName
from models.plan import CohortSpec, Decisions, Fate, RolloutPlan
from models.proof import Proofs
from models.rollout import Awaited, CohortMembers, Delegation, FrozenCohort, Notice, RolloutState
from models.terse import entries_in_full, entries_in_short, notices_in_full, notices_in_short
from models.vouching import WatchKey


class RolloutInput(Grown):
    """What starts a rollout. `clock_start` and `clock_speed` set the programme clock; `state` carries a chain on.

    `decisions` is what the plan says, or where it is silent, what the installation does; `start_token` proves who
    starts it, with which plan. `short_retention` is how long Temporal keeps closed histories where that is less than it
    should be, and whoever starts it accepts that.
    """

    later: ClassVar[frozenset[str]] = frozenset({"short_retention"})

    plan: RolloutPlan
    clock_start: Instant | None = None
    clock_speed: float = 1.0
    state: RolloutState | None = None
    decisions: Decisions = Decisions.UNSIGNED
    start_token: str | None = None
    short_retention: Duration | None = None


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


ITS_OWN = RolloutKey(rollout_id="", chain_id="")
"""Stands in a request of the rollout in whose history it stands, in the first run of its chain: Temporal says which."""


class Asked(Lean):
    """A request of a rollout. `ITS_OWN` is not written: whoever carries the request out puts the key in its place, and
    who does not finds no such rollout."""

    key: RolloutKey = ITS_OWN

    def of(self, key: RolloutKey) -> Self:
        """The same request of this rollout."""
        return self.model_copy(update={"key": key})


def _head(key: RolloutKey) -> str:
    return notice_head(key.rollout_id, key.chain_id)


def _written(entries: Sequence[LogEntry]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json", exclude_defaults=True) for one in entries]


class OpenRequest(Asked):
    """Register a rollout in the store so that the watch and the lists see it. Key: rollout and chain.

    Without a plan it is the one under `plan_digest` that the chain began with: the first event of its first run.
    `short_words`: it reads the watch's `DailyWord`.
    """

    plan: RolloutPlan | None = None
    plan_digest: str
    clock: ProgrammeClock
    decisions: Decisions = Decisions.UNSIGNED
    short_words: bool = False


class OpenResult(Frozen):
    """What a rollout is told as it is registered: by what it knows the words of the watch."""

    watch: WatchKey


class KeysRequest(Asked):
    """Whose signatures count now, as far as whoever answers was told. Nothing changes by it."""


class ResolveRequest(Asked):
    """Resolve the plan's cohorts as of a moment and freeze them. Key: rollout, chain and cohort.

    `brief` asks for names and sizes; a rollout of the first release expects the members.
    """

    specs: tuple[CohortSpec, ...]
    as_of: Instant
    brief: bool = False


class ResolvedCohorts(Frozen):
    """The cohorts as frozen in the store. `digest` covers their members: who acts on them finds the same ones, or
    nobody. None of them is frozen while one has no partners."""

    cohorts: tuple[FrozenCohort, ...]
    digest: str


class Answer(StrEnum):
    """How much of a snapshot is given back; all of it is in the store."""

    SUMMARY = "summary"
    VALUES = "values"
    TABLE = "table"
    DIGEST = "digest"


class FetchRequest(Asked):
    """Measure metrics of cohorts as of a moment. `windows` gives each metric's length; without, it is the plan's.

    Cohorts are named, their members are those in the store under `cohorts_digest`; a rollout of the first release
    sends the members. Key: the digest of what was read, so that a repeated read of the same facts is the same evidence.
    """

    purpose: str
    as_of: Instant
    cohorts: tuple[str | CohortMembers, ...]
    cohorts_digest: str | None = None
    windows: dict[MetricName, Duration] = {}
    answer: Answer = Answer.SUMMARY


class AssessRequest(Asked):
    """Judge a snapshot in the store against the plan in the store. `tolerance_since` starts the count of
    breaches. Key: the digests of snapshot and plan, and `tolerance_since`.

    `baselines_from` is the digest of the snapshot in the store whose values are the baselines; a rollout of the first
    release sends the baselines, and expects the assessment whole. `brief` asks for what is met in short, `table` for
    that as a table. `not_before` is given for a snapshot that the watch
    has measured, and says how old it may be.
    """

    snapshot_digest: str
    plan_digest: str
    phase: str
    tolerance_since: Instant
    baselines: tuple[Baseline, ...] = ()
    baselines_from: str | None = None
    brief: bool = False
    table: bool = False
    not_before: Instant | None = None


class LookRequest(Asked):
    """Measure cohorts as of a moment, and judge what is found: `FetchRequest` and `AssessRequest` in one, for a rollout
    that names its cohorts. What is met is answered as a table. Key: that of either.
    """

    purpose: str
    as_of: Instant
    cohorts: tuple[str, ...]
    cohorts_digest: str
    plan_digest: str
    phase: str
    tolerance_since: Instant
    baselines_from: str | None = None

    def measuring(self) -> FetchRequest:
        """What is to be measured."""
        return FetchRequest(
            key=self.key,
            purpose=self.purpose,
            as_of=self.as_of,
            cohorts=self.cohorts,
            cohorts_digest=self.cohorts_digest,
            answer=Answer.DIGEST,
        )

    def judging(self, snapshot_digest: str) -> AssessRequest:
        """What is to be judged, once it has been measured."""
        return AssessRequest(
            key=self.key,
            snapshot_digest=snapshot_digest,
            plan_digest=self.plan_digest,
            phase=self.phase,
            tolerance_since=self.tolerance_since,
            baselines_from=self.baselines_from,
            table=True,
        )


class EnrolResult(Frozen):
    """How many partners are in (or out) now, and how many of them this very call changed."""

    cohort: str
    partners: int
    changed: int


class Standing(Frozen):
    """The few facts of a rollout that lists show and the watch needs; the store keeps the latest. `awaited` and `next`
    are whom it waits for and what comes next, as its status has them; `delegations` who acts in whose place."""

    phase: str
    wave: int | None
    status: str
    sentence: str
    since: Instant
    open: bool
    watched: tuple[CohortMembers, ...] = ()
    tolerance_since: Instant | None = None
    baselines: tuple[Baseline, ...] = ()
    awaited: tuple[Awaited, ...] = ()
    next: str = ""
    delegations: tuple[Delegation, ...] = ()


class StandingBrief(Lean):
    """The same as it stands in a history: watched cohorts by name, and the snapshot that the baselines are taken from
    in the record that tells of them; otherwise they stay as they are."""

    phase: str
    wave: int | None = None
    status: str
    sentence: str
    since: Instant
    open: bool
    watching: tuple[str, ...] = ()
    tolerance_since: Instant | None = None
    baselines_from: str | None = None
    awaited: tuple[Awaited, ...] = ()
    next: str = ""
    delegations: tuple[Delegation, ...] = ()


class RecordRequest(Asked):
    """Append entries to the decision log, update the standing, and put the letters about them into the outbox. Key:
    rollout, chain and sequence; of letters the notice id and the contact. Without `run_id` it is of the chain's first
    run; without a standing the rollout stands as the record before says. `deliver`: the letters go to the channels as
    soon as they are written. `once`, and `counted` on top of it: it is written as `models/terse.py` has it; read is
    any.
    """

    run_id: str | None = None
    entries: tuple[LogEntry, ...]
    standing: StandingBrief | Standing | None = None
    notices: tuple[Notice, ...] = ()
    deliver: bool = False
    once: bool = Field(default=False, exclude=True)
    counted: bool = Field(default=False, exclude=True)

    def of(self, key: RolloutKey) -> Self:
        """The same of this rollout, and so are its letters."""
        mine, its = _head(self.key), _head(key)
        notices = tuple(
            one.model_copy(update={"notice_id": its + one.notice_id.removeprefix(mine)})
            if one.notice_id.startswith(mine)
            else one
            for one in self.notices
        )
        return self.model_copy(update={"key": key, "notices": notices})

    @field_serializer("entries", when_used="json")
    def _what_they_say(self, entries: tuple[LogEntry, ...]) -> list[dict[str, Any]]:
        """Without what is left open in an entry, which is most of it."""
        return entries_in_short(_written(entries), counted=self.counted) if self.once else _written(entries)

    @field_serializer("notices", when_used="json")
    def _what_is_written(self, notices: tuple[Notice, ...]) -> list[dict[str, Any]]:
        written = [one.model_dump(mode="json") for one in notices]
        return notices_in_short(written, _written(self.entries), _head(self.key)) if self.once else written

    @field_validator("entries", mode="before")
    @classmethod
    def _entries_in_full(cls, given: Any, info: ValidationInfo) -> Any:
        if info.mode != "json" or not isinstance(given, list):
            return given
        return tuple(LogEntry.model_validate_json(to_json(one)) for one in entries_in_full(given))

    @field_validator("notices", mode="before")
    @classmethod
    def _notices_in_full(cls, given: Any, info: ValidationInfo) -> Any:
        if info.mode != "json" or not isinstance(given, list) or not {"key", "entries"} <= info.data.keys():
            return given
        full = notices_in_full(given, _written(info.data["entries"]), _head(info.data["key"]))
        return tuple(Notice.model_validate_json(to_json(one)) for one in full)


class EnrolRequest(Asked):
    """Make the change real for a cohort, or take it back. Key: rollout, chain, phase, wave and partner.

    Cohorts are named as in `FetchRequest`. `record` is what has to stand in the log before anybody is enrolled: it is
    written in the same transaction. `proofs` are the signed requests that it rests on, for a rollout whose decisions
    are signed: whoever carries it out looks at them itself.
    """

    phase: str
    wave: int | None = None
    cohort: str | CohortMembers
    cohorts_digest: str | None = None
    at: Instant
    fate: Fate = Fate.KEEP
    record: RecordRequest | None = None
    proofs: Proofs | None = None

    def of(self, key: RolloutKey) -> Self:
        """The same of this rollout, and so is what it takes along."""
        return self.model_copy(update={"key": key, "record": self.record.of(key) if self.record else None})

    @field_serializer("record", when_used="json")
    def _without_its_key(self, record: RecordRequest | None) -> dict[str, Any] | None:
        """The record is of the same rollout."""
        return None if record is None else record.model_dump(mode="json", exclude={"key"} if record.once else None)

    @field_validator("record", mode="before")
    @classmethod
    def _with_its_key(cls, given: Any, info: ValidationInfo) -> Any:
        if info.mode != "json" or not isinstance(given, dict) or "key" not in info.data:
            return given
        return RecordRequest.model_validate_json(to_json({"key": info.data["key"], **given}))


class NotifyRequest(Asked):
    """Deliver notices to the owners who hold the roles. Those that are in the outbox since the record of what they are
    about are named by their id, which may leave out the rollout and the chain; the others are queued. Key: the notice
    id."""

    notices: tuple[str | Notice, ...]


class ExportRequest(Asked):
    """Keep Temporal's history of a run, and of those before it in the chain; without `run_id` of the chain's first run.
    Key: rollout, chain and run."""

    run_id: str | None = None


class ExportResult(Lean):
    """What is kept now: how many runs, and of the run that asked its events and the sha256 (hex) of its JSON.

    `missing_run` came before them, and was deleted before it could be exported.
    """

    runs: int
    run_id: str
    events: int
    sha256: str
    missing_run: str | None = None


class ReviewRequest(Asked):
    """Review a rollout that is about to end, by its log up to an entry. Key: the digest of the review."""

    entries: int


class ReviewResult(Frozen):
    """The digest under which the review is kept, and what it comes to in a sentence."""

    digest: str
    summary: str


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
    """What a shard of the watch answers when asked: how often it looked, what the latest look (or stay) did, how long
    it stays awake now, and how many shards there are."""

    ticks: int
    stay: timedelta = timedelta(0)
    shards: int = 1
    last: TickResult | None = None
    last_at: Instant | None = None
    failed_at: Instant | None = None
    problem: str | None = None
