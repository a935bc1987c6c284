"""Where a rollout stands by its log, as far as evidence is asked about it: its cohorts, since when breaches count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.log import EntryKind, LogEntry, Outcome
from models.metric import MetricName
from models.plan import OptionKey, RolloutPlan
from models.reach import cohorts_to_enrol
from models.rollout import HoldKind, Phase
from models.transitions import Transition, transition

BLINDING = tuple(
    f"Hold released ({one.value})" for one in (HoldKind.WATCH_SILENT, HoldKind.REVIEW_MISSED, HoldKind.STORE)
)
"""Ends of holds during which the numbers may have moved on."""


class Standing:
    """What the entries so far come to. What an entry says may be anything: what cannot be read changes nothing.

    `since` is when the count of breaches began, `newest` the entry of the newest assessment since then; `served_at` is
    when the phase's time was served, `approved_at` when somebody last approved the open gate, `floor` the end of the
    last hold during which nobody could see. `sizes` are those of the frozen cohorts.
    """

    def __init__(self, plan: RolloutPlan) -> None:
        self.plan = plan
        self.place: tuple[str, int | None] = (Phase.PREPARE.value, None)
        self.sizes: dict[str, int] = {}
        self.enrolled: list[str] = []
        self.withdrawn: set[str] = set()
        self.let_be: set[MetricName] = set()
        self.baseline: str | None = None
        self.since: datetime | None = None
        self.newest: LogEntry | None = None
        self.served_at: datetime | None = None
        self.approved_at: datetime | None = None
        self.floor: datetime | None = None
        self.paused: LogEntry | None = None
        self.stopping = False

    @property
    def way(self) -> Transition:
        """The one way out of where it stands."""
        return transition(self.plan, Phase(self.place[0]), self.place[1])

    @property
    def watched(self) -> tuple[str, ...]:
        """Names of the cohorts whose numbers are judged."""
        if self.place[0] in (Phase.PREPARE, Phase.CLOSE):
            return ()
        if self.plan.chosen is OptionKey.MAINTAIN:
            return (self.plan.cohorts.pilot.name,)
        return tuple(name for name in self.enrolled if name not in self.withdrawn)

    @property
    def paused_for(self) -> frozenset[MetricName]:
        """The metrics that it is paused for."""
        named = self.paused.detail.get("metrics") if self.paused else None
        return metrics_of(named)

    def take(self, entry: LogEntry) -> None:
        """Take in an entry."""
        place = place_of(entry)
        if place is not None and place != self.place and (place[1] or 1) <= max(len(self.plan.cohorts.waves), 1):
            self._enter(entry, place)
            return
        match entry.kind:
            case EntryKind.PHASE:
                self._phase(entry)
            case EntryKind.BASELINE if entry.evidence_digest is not None:
                self.baseline = entry.evidence_digest
            case EntryKind.ENROLMENT:
                self._enrolment(entry)
            case EntryKind.ASSESSMENT if judged(entry):
                self.newest = entry
            case EntryKind.DECISION if entry.verb == "decide" and entry.outcome is Outcome.APPLIED:
                self.approved_at = entry.programme_at
            case EntryKind.OVERRIDE:
                self._override(entry.message)
            case EntryKind.RELEASE if entry.message.startswith(BLINDING):
                self.floor = entry.programme_at
            case EntryKind.PAUSE if entry.outcome is not Outcome.REFUSED:
                self.paused, self.approved_at = entry, None
            case EntryKind.RESUME if entry.outcome is Outcome.APPLIED:
                self.paused, self.since = None, entry.programme_at
            case EntryKind.STOP if entry.message.startswith("Stopping: "):
                self.stopping = True

    def _enter(self, entry: LogEntry, place: tuple[str, int | None]) -> None:
        self.place, self.served_at, self.approved_at = place, None, None
        if place[0] != Phase.CLOSE and not self._unenrolled():
            self._begin(entry)

    def _phase(self, entry: LogEntry) -> None:
        if entry.gate is not None:
            self.approved_at = None
        elif entry.message.startswith("Time served"):
            self.served_at = entry.programme_at
        elif entry.message.startswith("Cohorts resolved and frozen: "):
            self.sizes = _sizes(entry.message)

    def _enrolment(self, entry: LogEntry) -> None:
        name = str(entry.detail.get("cohort"))
        if "partners" not in entry.detail:
            self.withdrawn.add(name)
            return
        self.enrolled.append(name)
        if not self._unenrolled():
            self._begin(entry)

    def _begin(self, entry: LogEntry) -> None:
        """The phase begins to serve its time."""
        self.since, self.newest = entry.programme_at, None

    def _unenrolled(self) -> bool:
        wanted = cohorts_to_enrol(self.plan, *self.place)
        return any(name not in self.enrolled for name in wanted)

    def _override(self, message: str) -> None:
        if message.startswith("Override in force: "):
            self.let_be |= metrics_of([message.removeprefix("Override in force: ").partition(" until ")[0]])
        elif message.startswith("Override expired: "):
            self.let_be -= metrics_of(message.removeprefix("Override expired: ").split(", "))


def judged(entry: LogEntry) -> bool:
    """Whether an entry is that of an assessment, and not of somebody who asks for one."""
    return entry.kind is EntryKind.ASSESSMENT and isinstance(entry.detail.get("verdicts"), dict)


def heard(entry: LogEntry) -> bool:
    """Whether an entry only counts words of the watch that came while the log was behind: no evidence is behind it."""
    words = isinstance(entry.detail.get("words"), int) and entry.evidence_digest is None
    return entry.kind is EntryKind.ASSESSMENT and entry.verb is None and words and not judged(entry)


def as_of(entry: LogEntry) -> datetime | None:
    """The moment that an assessment is of, by its entry; None where that does not say."""
    try:
        found = datetime.fromisoformat(str(entry.detail.get("as_of")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def place_of(entry: LogEntry) -> tuple[str, int | None] | None:
    """Phase and wave of an entry, None where there is no such phase."""
    phase, _, wave = entry.phase.partition(" wave ")
    try:
        return Phase(phase).value, int(wave) if wave.isdecimal() else None
    except ValueError:
        return None


def metrics_of(names: Any) -> frozenset[MetricName]:
    """The metrics among these names."""
    said = {one for one in names if isinstance(one, str)} if isinstance(names, list) else set()
    return frozenset(one for one in MetricName if one.value in said)


def _sizes(message: str) -> dict[str, int]:
    told = message.removeprefix("Cohorts resolved and frozen: ").removesuffix(" partners")
    pairs = (one.rpartition(" ") for one in told.split(", "))
    return {name: int(size) for name, _, size in pairs if size.isdecimal()}
