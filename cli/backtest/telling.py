"""Says what a backtest found: how it would have ended, what happened when, and what said nothing and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from cli.output import Sheet, say, sheets, show, table
from cli.tree import MARK
from models.backtest import Backtest, Breach, End, GateFound, MetricCourse, Outcome, PauseFound, Silence
from models.base import many
from models.evidence import Verdict
from models.log import EntryKind
from models.metric import CATALOGUE

_DAY = "%Y-%m-%d"
_STRIP = 26
"""Marks of a strip at most; a day each, or as many as it takes."""

_WORST = (Verdict.NOT_MET, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL, Verdict.MET)
_ENDS = {
    End.COMPLETED: "would have completed",
    End.STOPPED: "would have been stopped",
    End.PAUSED: "would be paused",
    End.WAITS: "would be waiting for a person",
    End.UNFINISHED: "would not be over",
}


class Line(NamedTuple):
    """Something that lasted: until None is up to the end of the run."""

    since: datetime
    until: datetime | None
    what: str
    words: str


def tell(found: Backtest, *, with_log: bool = False) -> None:
    """Print it: the summary, the timeline, the silences, and each metric's course."""
    show(summary(found))
    show(found.sentence)
    for note in found.notes:
        show(f"Note: {note}")
    show("")
    _tell_timeline(found)
    if found.silences:
        show("\nVerdicts that said nothing")
        rows = [_silence_row(list(group)) for _, group in groupby(sorted(found.silences, key=_of), key=_of)]
        columns = ("metric", "cohort", "verdict", "days", "times", "first", "why")
        sheets(*columns, rows=rows, told=[Sheet(" ".join(row[:3]), (", ".join(row[3:6]), row[6])) for row in rows])
    if found.metrics:
        show("\nEvery look, " + ", ".join(f"{MARK[verdict]} {verdict.value}" for verdict in Verdict))
        table("metric", "cohort", "looks", "first", "last", "course", rows=[_course_row(one) for one in found.metrics])
    if with_log:
        show("\nDecision log")
        rows = [(f"{one.programme_at:%Y-%m-%d %H:%M}", one.kind.value, one.phase, one.message) for one in found.log]
        table("programme time", "kind", "phase", "in words", rows=rows)
    again = f", begun {found.begun} times" if found.begun > 1 else ""
    entries = many(len(found.log), "entry", "entries")
    say(f"{entries} of the log in {found.seconds:g} s{again}; nothing of it is in the store.")


def summary(found: Backtest) -> str:
    """One line: how it ended, when, and where the days went."""
    drag = found.drag
    when = f"on {found.through:%Y-%m-%d}, " if found.end in (End.COMPLETED, End.STOPPED) else ""
    first = f"; it would first have paused on {found.pauses[0].since:%Y-%m-%d}" if found.pauses else "; it never paused"
    return (
        f"{found.plan} from {found.begins:%Y-%m-%d} to {found.ends:%Y-%m-%d}: {_ENDS[found.end]} {when}"
        f"after {drag.total:.0f} days{first}. Of these days {drag.people:.0f} waited for people, "
        f"{drag.data:.0f} held for data, {drag.paused:.0f} were paused."
    )


def timeline(found: Backtest) -> list[Line]:
    """Phases, gates, pauses and holds, in the order in which they began."""
    lines = [*_phases(found)]
    lines += [Line(one.opened_at, one.until, f"gate {one.key}", gate_words(one)) for one in found.gates]
    lines += [Line(one.since, one.until, f"paused ({one.cause})", pause_words(one)) for one in found.pauses]
    lines += [Line(one.since, one.until, f"holding ({one.kind})", one.detail) for one in found.holds]
    return sorted(lines, key=lambda one: one.since)


def _phases(found: Backtest) -> Iterator[Line]:
    """From one `Entered` to the next; preparing begins with the log."""
    entered = [one for one in found.log if one.kind is EntryKind.PHASE and one.message.startswith("Entered ")]
    begins = [(found.begins, "prepare", "")] + [(one.programme_at, one.phase, one.message) for one in entered]
    for (since, phase, words), (until, *_) in pairwise([*begins, (None, "", "")]):
        yield Line(since or found.begins, until, f"phase {phase}", words.partition(": ")[2])


def gate_words(gate: GateFound) -> str:
    """Who was asked, who answered after how long, and what came of it."""
    answered = ", ".join(f"{one.role} after {one.days:.1f} d" for one in gate.answers)
    told = [f"{gate.quorum} of {', '.join(gate.roles)}" if gate.quorum < len(gate.roles) else ", ".join(gate.roles)]
    told += [f"answered: {answered}"] if answered else []
    match gate.outcome:
        case Outcome.PASSED:
            told.append("passed")
        case Outcome.OPEN:
            told.append(f"still waits for {', '.join(gate.missing) or 'the evidence'}")
        case Outcome.VOIDED:
            told.append(f"closed: {gate.void}")
    if gate.overdue and gate.due_at is not None:
        told.append(f"overdue since {gate.due_at:%Y-%m-%d}")
    return "; ".join(told)


def pause_words(pause: PauseFound) -> str:
    """On what, who had to act, and how it ended."""
    on = "; ".join(map(_breach_words, pause.breaches)) or pause.why
    refused = f", {many(pause.refused, 'resume')} refused" if pause.refused else ""
    ended = f"{pause.ended} by {pause.by}" if pause.ended and pause.by else pause.ended or "still paused"
    return f"{on}. To act: {', '.join(pause.must_act)}{refused}; {ended}"


def _breach_words(one: Breach) -> str:
    value = "no value" if one.value is None else f"{one.value:.2f} {CATALOGUE[one.metric].unit}"
    agreed = f" against {', '.join(one.thresholds)}" if one.thresholds else ""
    return f"{CATALOGUE[one.metric].title} of {one.cohort}: {value}{agreed}"


def _tell_timeline(found: Backtest) -> None:
    rows = [
        (
            one.since.strftime(_DAY),
            one.until.strftime(_DAY) if one.until else "-",
            f"{((one.until or found.through) - one.since) / timedelta(days=1):.1f}",
            one.what,
            one.words,
        )
        for one in timeline(found)
    ]
    told = [Sheet(f"{row[0]} to {row[1]}  {row[3]}  {row[2]} d", (row[4],)) for row in rows]
    sheets("from", "to", "days", "what", "in words", rows=rows, told=told)


def _of(one: Silence) -> tuple[str, str, str]:
    return one.metric.value, one.cohort, one.verdict.value


def _silence_row(group: Sequence[Silence]) -> tuple[str, ...]:
    first = min(group, key=lambda one: one.since)
    return (
        CATALOGUE[first.metric].title,
        first.cohort,
        first.verdict.value,
        f"{sum(one.days for one in group):.0f}",
        str(len(group)),
        first.since.strftime(_DAY),
        "; ".join(first.reasons) or "the evidence of that day was not kept",
    )


def _course_row(one: MetricCourse) -> tuple[str, ...]:
    values = [value for _, value, _ in one.looks if value is not None]
    unit = CATALOGUE[one.metric].unit
    return (
        CATALOGUE[one.metric].title,
        one.cohort,
        ", ".join(f"{count} {verdict.value}" for verdict, count in one.counts.items() if count),
        f"{values[0]:.1f} {unit}" if values else "-",
        f"{values[-1]:.1f} {unit}" if values else "-",
        strip([verdict for _, _, verdict in one.looks]),
    )


def strip(verdicts: Sequence[Verdict]) -> str:
    """The verdicts in a line of marks: of as many looks as share one, the worst."""
    size = -(-len(verdicts) // _STRIP) or 1
    parts = [verdicts[at : at + size] for at in range(0, len(verdicts), size)]
    return "".join(MARK[min(part, key=_WORST.index)] for part in parts)
