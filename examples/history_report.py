"""What a rollout over past facts comes down to: its phases with what was measured, and what paused or held it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from activities.measuring import measure
from models.evidence import Assessment, CohortReading, MetricAssessment
from models.log import EntryKind, LogEntry, Outcome
from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.rollout import PhaseRecord, RolloutView
from store.enrolments import frozen_cohorts
from store.evidence import read_evidence
from store.log import read_log
from store.pool import prepare_connection
from store.rollouts import list_rollouts

PHASES = ("phase", "from", "to", "cohort", "at its end", "baseline", "partners", "facts", "verdict", "lowest seen")
STANDSTILLS = ("from", "to", "days", "phase", "what", "why", "driven by", "ended by")
UNTIL_THE_END = "still so at the end"
NAMED = 3
"""Partners named in a row; the log names more."""

_SAID = re.compile(r"(?P<what>Paused|Holding|Hold released) \((?P<cause>[a-z ]+)\): (?P<why>.*)", re.DOTALL)
_NAMES = re.compile(r" \(partners [^)]*\)")


class Story(NamedTuple):
    """A rollout as its log and its evidence tell it. `control` holds what was read of the cohort that is never
    enrolled, by the moment of the assessment it stands beside."""

    plan: RolloutPlan
    view: RolloutView
    entries: tuple[LogEntry, ...]
    assessments: tuple[Assessment, ...]
    control: dict[datetime, tuple[CohortReading, ...]]


class Standstill(NamedTuple):
    """A pause or a hold, and what ended it; `until` None where nothing did."""

    since: datetime
    until: datetime | None
    phase: str
    what: str
    cause: str
    why: str
    drivers: tuple[str, ...] = ()
    ended_by: str = UNTIL_THE_END
    refused: int = 0

    @property
    def name(self) -> str:
        """What stands still by itself: one pause, and one hold of each cause, at a time."""
        return f"{self.what} ({self.cause})" if self.what == "held" else self.what


async def read_story(dsn: str, view: RolloutView) -> Story:
    """Read a rollout's log and the evidence it names; and the control cohort as of the same moments.

    Raises:
        LookupError: the store does not know the rollout.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await prepare_connection(connection)
        found = next((one for one in await list_rollouts(connection) if one.key.rollout_id == view.rollout_id), None)
        if found is None:
            raise LookupError(f"the store knows no rollout {view.rollout_id}")
        entries = await read_log(connection, view.rollout_id)
        assessments = []
        for digest in dict.fromkeys(one.evidence_digest for one in entries if one.kind is EntryKind.ASSESSMENT):
            kept = await read_evidence(connection, digest, found.key) if digest else None
            if kept is not None and kept.kind == "assessment":
                assessments.append(Assessment.model_validate_json(json.dumps(kept.body)))
        control = found.plan.cohorts.control
        members = [one for one in await frozen_cohorts(connection, found.key) if control and one.name == control.name]
        windows = {metric.metric: metric.window for metric in found.plan.metrics}
        ends = [one.as_of for one in (_last(assessments, record) for record in view.history) if one is not None]
        beside = {as_of: (await measure(connection, as_of, members, windows)).snapshot.readings for as_of in ends}
        return Story(found.plan, view, entries, tuple(assessments), beside)
    finally:
        await connection.close()


def phase_rows(story: Story) -> list[tuple[str, ...]]:
    """One row per phase, cohort and metric, for the columns of `PHASES`."""
    rows = []
    for record in story.view.history:
        label = record.phase.value if record.wave is None else f"{record.phase.value} wave {record.wave}"
        when = (_day(record.entered_at), _day(record.left_at))
        rows += [(label, *when, *cells) for cells in _cells(story, record)]
    return rows


def _cells(story: Story, record: PhaseRecord) -> Iterable[tuple[str, ...]]:
    if record.phase.value == "prepare":
        for frozen in story.view.baselines:
            value = _number(frozen.value, CATALOGUE[frozen.metric].unit)
            counts = (str(frozen.n_partners), str(frozen.n_facts))
            yield (frozen.cohort, value, value, *counts, frozen.reason or "frozen", "")
        return
    last = _last(story.assessments, record)
    if last is None:
        return
    for item in last.items:
        unit = CATALOGUE[item.metric].unit
        counts = (str(item.n_partners), str(item.n_facts))
        values = (_number(item.value, unit), _number(item.baseline, unit))
        yield (item.cohort, *values, *counts, item.verdict.value, _lowest(story, record, item))
    for reading in story.control.get(last.as_of, ()):
        group = reading.group
        base = next(
            (one for one in story.view.baselines if (one.cohort, one.metric) == (reading.cohort, reading.metric)), None
        )
        unit = CATALOGUE[reading.metric].unit
        values = (_number(group.value, unit), _number(base.value if base else None, unit))
        yield (f"({reading.cohort})", *values, str(group.n_partners), str(group.n_facts), "not enrolled", "")


def _within(record: PhaseRecord, assessments: Iterable[Assessment]) -> list[Assessment]:
    left = record.left_at
    return [one for one in assessments if record.entered_at <= one.as_of and (left is None or one.as_of <= left)]


def _last(assessments: Iterable[Assessment], record: PhaseRecord) -> Assessment | None:
    return max(_within(record, assessments), key=lambda one: one.as_of, default=None)


def _lowest(story: Story, record: PhaseRecord, item: MetricAssessment) -> str:
    """Among the readings that the log names: those at changes, resumes and gates."""
    seen = [
        (one.value, assessment.as_of)
        for assessment in _within(record, story.assessments)
        for one in assessment.items
        if (one.cohort, one.metric) == (item.cohort, item.metric) and one.value is not None
    ]
    if not seen:
        return ""
    value, as_of = min(seen)
    return f"{_number(value, CATALOGUE[item.metric].unit)} ({_day(as_of)})"


def standstills(entries: Sequence[LogEntry]) -> list[Standstill]:
    """Every pause and every hold in the order in which they began, with what ended it and the resumes it refused."""
    found: list[Standstill] = []
    standing: dict[str, int] = {}
    for entry in entries:
        begun = _begun(entry)
        if begun is not None and begun.name not in standing:
            standing[begun.name] = len(found)
            found.append(begun)
        if entry.verb == "resume" and entry.outcome is Outcome.REFUSED and "paused" in standing:
            at = standing["paused"]
            found[at] = found[at]._replace(refused=found[at].refused + 1)
        for name in [name for name in standing if _ends(entry, name)]:
            at = standing.pop(name)
            found[at] = found[at]._replace(until=entry.programme_at, ended_by=_ended_by(entry))
    return found


def _begun(entry: LogEntry) -> Standstill | None:
    said = _SAID.fullmatch(entry.message)
    if said is None or entry.kind not in (EntryKind.PAUSE, EntryKind.HOLD):
        return None
    what = "paused" if entry.kind is EntryKind.PAUSE else "held"
    drivers = tuple(entry.detail.get("partners", ()))
    why = _NAMES.sub("", said["why"])
    return Standstill(entry.programme_at, None, entry.phase, what, said["cause"], why, drivers)


def _ends(entry: LogEntry, name: str) -> bool:
    if entry.kind is EntryKind.STOP:
        return entry.message.startswith("Stopping")
    if entry.kind is EntryKind.RESUME:
        return name == "paused" and entry.outcome is Outcome.APPLIED
    said = _SAID.fullmatch(entry.message)
    return entry.kind is EntryKind.RELEASE and said is not None and name == f"held ({said['cause']})"


def _ended_by(entry: LogEntry) -> str:
    if entry.kind is EntryKind.RELEASE:
        return "itself: its cause was gone"
    return f"{entry.verb or 'the plan'} by {entry.actor or 'itself'}: {entry.rationale or entry.message}"


def standstill_rows(story: Story) -> list[tuple[str, ...]]:
    """For the columns of `STANDSTILLS`."""
    rows: list[tuple[str, ...]] = []
    for one in standstills(story.entries):
        days = str((one.until - one.since).days) if one.until else ""
        what = f"{one.what} ({one.cause})"
        drivers = ", ".join(one.drivers[:NAMED]) + (" and others" if len(one.drivers) > NAMED else "")
        ended = f"{one.ended_by} (resumes refused before: {one.refused})" if one.refused else one.ended_by
        rows.append((_day(one.since), _day(one.until), days, one.phase, what, one.why, drivers, ended))
    return rows


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _number(value: float | None, unit: str) -> str:
    return "no value" if value is None else f"{value:.2f} {unit}"
