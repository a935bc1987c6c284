"""What a rollout keeps when it ends: every file of its record in each language, and the draft of the next cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from learning.accepted import NothingAccepted
from learning.next_cycle import Draft, next_cycle
from learning.record import decision_record
from models.canonical import canonical
from models.kept import DRAFT, INDEX, READINGS, KeepResult, sha256_of
from models.learning import ChangeReading, JudgedReading, Readings
from models.log import LogEntry
from models.plan import RolloutPlan
from record.plan_text import plan_text
from record.words import LANGUAGES
from record.writing import files

DOCUMENTS = frozenset({*(f"{one}/record.{form}" for one in LANGUAGES for form in ("md", "html")), DRAFT})
"""What the log names one by one. Charts and the entries of gates are named by the list of files alone."""

LONGEST = 300
"""Characters of a reason that go into the log."""


class Left(NamedTuple):
    """Every file by its path, the list of them among them, and what is said of them."""

    files: dict[str, bytes]
    result: KeepResult


def left_behind(plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> Left:
    """What is kept of a rollout whose log goes so far. The same arguments give the same bytes.

    Args:
        log: of one chain, by its sequence, up to the entry that it is made of.
        readings: those after the last entry do not count.

    Raises:
        ValueError: the log is empty.
    """
    known = until_the_end(log, readings)
    made = decision_record(plan, log, known)
    found = {
        f"{language}/{path}": text.encode() for language in LANGUAGES for path, text in files(made, language).items()
    }
    found[READINGS] = canonical(known.model_dump(mode="json"))
    draft = _draft(plan, log, readings)
    if isinstance(draft, Draft):
        found[DRAFT] = draft_text(draft).encode()
    whole = {INDEX: canonical({path: sha256_of(content) for path, content in found.items()}), **found}
    return Left(whole, _result(whole, len(log), None if isinstance(draft, Draft) else draft))


def result_of(kept: Mapping[str, bytes], plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> KeepResult:
    """What is said of files that are kept already, made of the same."""
    why = _draft(plan, log, readings) if DRAFT not in kept else None
    return _result(kept, len(log), "none was kept" if isinstance(why, Draft) else why)


def _result(kept: Mapping[str, bytes], entries: int, no_draft: str | None) -> KeepResult:
    return KeepResult(
        entries=entries,
        files=sha256_of(kept[INDEX]),
        documents={path: sha256_of(kept[path]) for path in sorted(DOCUMENTS & set(kept))},
        no_draft=no_draft,
    )


def _draft(plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> Draft | str:
    """The draft, or why there is none."""
    try:
        return drafted(plan, log, readings)
    except (NothingAccepted, ValueError) as problem:
        return " ".join(str(problem).split())[:LONGEST] or type(problem).__name__


def drafted(plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> Draft:
    """The draft as it is kept: of the day of the last entry, with the number behind this cycle's. Raises like
    `next_cycle`."""
    return next_cycle(plan, log, until_the_end(log, readings), today=log[-1].at.date())


def draft_text(draft: Draft) -> str:
    """A draft as people edit it."""
    return plan_text(draft.plan, draft.head, draft.reasons)


def until_the_end(log: Sequence[LogEntry], readings: Readings) -> Readings:
    """The readings as of the last entry: the watch may look once more before a rollout is over."""
    end = log[-1].programme_at if log else None
    if end is None:
        return readings
    return readings.model_copy(
        update={
            "judged": tuple(one for one in readings.judged if one.as_of <= end),
            "changes": tuple(one for one in readings.changes if one.as_of <= end),
        }
    )


class Compared(NamedTuple):
    """Where what was kept and what is made anew of the same differ, None where they state the same; and how many
    readings of before the end came into the store after it was kept, which are none of its."""

    differs: str | None
    later: int = 0


def compared(kept: Mapping[str, bytes], plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> Compared:
    """Hold what was kept against what plan, log and readings give today.

    Args:
        log: up to the entry that it was made of.
        readings: as the store has them now.
    """
    now = until_the_end(log, readings)
    try:
        then = Readings.model_validate_json(kept[READINGS]) if READINGS in kept else now
    except ValueError:
        return Compared("this release cannot read the readings that were kept")
    known, today = _all(then), _all(now)
    gone = known - today
    if gone or then.baselines != now.baselines:
        said = min((f"{one.metric} of {one.cohort}, {one.as_of:%Y-%m-%d %H:%M}" for one in gone), default="a baseline")
        return Compared(f"the store does not have a reading that it was made of as it was then: {said}")
    return Compared(difference(kept, left_behind(plan, log, then).files), len(today - known))


def _all(readings: Readings) -> set[JudgedReading | ChangeReading]:
    found: set[JudgedReading | ChangeReading] = set(readings.judged)
    return found | set(readings.changes)


def difference(kept: Mapping[str, bytes], fresh: Mapping[str, bytes]) -> str | None:
    """The first thing that two renderings state differently, in a sentence; None where they state the same.

    Only texts are compared: a page of HTML states what its Markdown does.
    """
    for path in sorted(set(kept) | set(fresh)):
        if not path.endswith((".md", ".yaml")):
            continue
        ours, theirs = kept.get(path), fresh.get(path)
        if ours is None or theirs is None:
            return f"{path} is {'not among what was kept' if ours is None else 'only among what was kept'}"
        if ours != theirs:
            return f"{path}, {_first_line(ours.decode(), theirs.decode())}"
    return None


def _first_line(kept: str, fresh: str) -> str:
    ours, theirs = kept.splitlines(), fresh.splitlines()
    number = next((at for at, (one, two) in enumerate(zip(ours, theirs, strict=False)) if one != two), None)
    if number is None and len(ours) == len(theirs):
        return "in its line breaks"
    if number is None:
        number = min(len(ours), len(theirs))
    shown = [repr(lines[number][:100]) if number < len(lines) else "nothing" for lines in (ours, theirs)]
    return f"line {number + 1}: kept {shown[0]}, made anew {shown[1]}"
