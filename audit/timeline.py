"""One timeline of a rollout from both sources: the history of its workflow, and the log in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from audit.text import plain
from audit.trail import Kind, Line, said_by
from models.base import short
from models.log import LogEntry, Outcome


class Source(StrEnum):
    """Which of the two tells of a row, if either does."""

    BOTH = "history, log"
    HISTORY = "history"
    LOG = "log"
    OUTBOX = "outbox"
    """Neither of them: a letter that was written beside the workflow, or by one that named none yet."""


class Row(Line):
    """A line of the timeline. `phase` is that of its entry; `disagrees` tells how the two sources differ, if they do.
    `letters` tells what has become of the letters that its entry names.

    A row that only the log tells of has no event (0).
    """

    source: Source
    phase: str = ""
    entry_kind: str = ""
    letters: str = ""
    disagrees: str | None = None

    @property
    def refused(self) -> bool:
        """Whether it tells of something that was refused."""
        return self.outcome == Outcome.REFUSED


class Wanted(NamedTuple):
    """Filters; a row must fulfil all that are given. `kind` is a row's own or that of its entry, `who` and `words` are
    parts of what stands there, `since` is inclusive and `until` exclusive, real time."""

    kind: str | None = None
    verb: str | None = None
    who: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    phase: str | None = None
    refused: bool = False
    words: str | None = None

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return self != Wanted()

    def takes(self, row: Row) -> bool:
        """Whether a row is wanted."""
        said = " ".join((row.what, row.message, row.why)).casefold()
        return not (
            (self.kind and self.kind not in (row.kind.value, row.entry_kind))
            or (self.verb and self.verb != row.verb)
            or (self.who and self.who.casefold() not in row.who.casefold())
            or (self.since and row.at < self.since)
            or (self.until and row.at >= self.until)
            or (self.phase and self.phase not in (row.phase, row.phase.partition(" ")[0]))
            or (self.refused and not row.refused)
            or (self.words and self.words.casefold() not in said)
        )


def merged(
    lines: Sequence[Line],
    recorded: Mapping[int, LogEntry],
    entries: Mapping[int, tuple[str, LogEntry]],
    *,
    complete: bool,
    closed: bool,
) -> tuple[Row, ...]:
    """Both sources as one, the oldest first.

    Args:
        lines: those of the history, settled.
        recorded: the entries that the history tells of, by sequence.
        entries: the log, by sequence, each with the run that wrote it.
        complete: the history goes back to the beginning.
        closed: it has come to its end, so that nothing is on its way any more.
    """
    rows = [_of_history(line, recorded, entries, closed=closed) for line in lines]
    newest = max(recorded, default=0)
    first = 1 if complete else min(recorded, default=newest + 1)
    for number, (run_id, entry) in entries.items():
        if number not in recorded:
            odd = first <= number <= newest or (closed and number > newest)
            rows.append(row_of(run_id, entry, "the workflow never wrote it, by its history" if odd else None))
    return tuple(sorted(rows, key=lambda row: row.at))


def _of_history(
    line: Line,
    recorded: Mapping[int, LogEntry],
    entries: Mapping[int, tuple[str, LogEntry]],
    *,
    closed: bool,
) -> Row:
    ours = [(number, recorded.get(number), entries.get(number)) for number in line.entries]
    problems = []
    for number, told, kept in ours:
        if kept is None:
            if closed or any(other > number for other in entries):
                problems.append(f"the log does not have entry {number}")
        elif told is not None and told != kept[1]:
            problems.append(_difference(number, told, kept[1]))
    source = Source.BOTH if ours and all(kept for _, _, kept in ours) else Source.HISTORY
    told_first = next((told for _, told, _ in ours if told), None)
    return Row(
        **{name: getattr(line, name) for name in Line.model_fields},
        source=source,
        phase=told_first.phase if told_first else "",
        entry_kind=told_first.kind.value if told_first else "",
        disagrees="; ".join(problems) or None,
    )


def _difference(number: int, told: LogEntry, kept: LogEntry) -> str:
    one, two = told.model_dump(mode="json"), kept.model_dump(mode="json")
    name = next((name for name in LogEntry.model_fields if one.get(name) != two.get(name)), "its content")
    return f"entry {number}: {name} is {two.get(name)!r:.200} in the log, and {one.get(name)!r:.200} in the history"


def row_of(run_id: str, entry: LogEntry, problem: str | None = None) -> Row:
    """An entry of which the log tells; `problem` is how the history differs."""
    return Row(
        at=entry.at,
        run_id=run_id,
        event_id=0,
        kind=Kind.REQUEST if entry.verb else Kind.ENTRY,
        what=" ".join(part for part in (entry.verb or entry.kind.value, entry.gate or "") if part),
        **said_by(entry),
        source=Source.LOG,
        phase=entry.phase,
        entry_kind=entry.kind.value,
        disagrees=problem,
    )


COLUMNS = (
    "time (UTC)",
    "programme time",
    "phase",
    "who",
    "what",
    "outcome",
    "entries",
    "message",
    "letters",
    "why",
    "evidence",
    "source",
    "disagreement",
    "run",
    "event",
    "client",
    "request",
)
"""What a file of the timeline tells of each row."""


def cells(row: Row) -> tuple[str, ...]:
    """A row as the cells of `COLUMNS`."""
    return (
        f"{row.at:%Y-%m-%d %H:%M:%S}",
        f"{row.programme_at:%Y-%m-%d %H:%M:%S}" if row.programme_at else "",
        row.phase,
        row.who,
        row.what,
        row.outcome,
        " ".join(map(str, row.entries)),
        row.message,
        row.letters,
        row.why,
        row.evidence,
        row.source.value,
        row.disagrees or "",
        row.run_id,
        str(row.event_id or ""),
        row.identity,
        row.request_id or "",
    )


def as_markdown(rollout: str, rows: Iterable[Row]) -> str:
    """The timeline as a page: one item a row, in which nothing that somebody wrote means anything to Markdown."""
    items = [_item(row) for row in rows]
    return "\n".join([f"# Timeline of {plain(rollout)}", "", *(items or ["Nothing fulfils the filters."]), ""])


def _item(row: Row) -> str:
    who = f" · {plain(row.who)}" if row.who else ""
    told = " ".join(part for part in (row.outcome, *(f"#{one}" for one in row.entries)) if part)
    lines = [f"- **{row.at:%Y-%m-%d %H:%M:%S}**{who} · {plain(row.what)} · {told or 'no entry'} ({row.source.value})"]
    facts = (
        ("", row.message),
        ("Letters: ", row.letters),
        ("Why: ", row.why),
        ("Evidence: ", short(row.evidence) if row.evidence else ""),
        ("DISAGREEMENT: ", row.disagrees or ""),
    )
    lines += [f"  - {head}{plain(text)}" for head, text in facts if text]
    return "\n".join(lines)
