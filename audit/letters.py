"""Whether the letters of the outbox are those that the log names, no more and no fewer, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from audit.timeline import Row, Source
from audit.trail import Kind
from models.letter import (
    PROGRAMS,
    NamedLetter,
    OutboxLetter,
    digest_of,
    letters_of,
    notice_id,
    place_of,
    quoted,
    recipients,
)
from models.log import EntryKind, LogEntry
from models.plan import RolloutPlan
from models.rollout import Notice

ELSEWHERE = {"warning": "warning/", "data-untrusted": "data-untrusted/", "workflow-alarm": "alarm/"}
"""Kinds of letters that are written beside the workflow, by the watch and by the sweep of workflows, and how their ids
go on behind the chain's. The log is the workflow's alone: it names none of them."""


class Fault(NamedTuple):
    """A letter that is not as the log names it: which notice, for whom (None: for all), and by which entry."""

    what: str
    notice: str
    contact: str | None = None
    entry: int | None = None
    found: str | None = None
    expected: str | None = None


class Held(NamedTuple):
    """What came of holding letters against the log: how many it names just so, what is wrong, and the letters that it
    is silent of and may be."""

    good: int
    faults: tuple[Fault, ...]
    unnamed: tuple[OutboxLetter, ...]


Names = Mapping[str, tuple[int, NamedLetter]]
"""The letters that a log names: by the notice's id, each with the entry that names it."""


def names_of(rollout: str, chain: str, entries: Iterable[LogEntry]) -> dict[str, tuple[int, NamedLetter]]:
    """The letters that a log names.

    Raises:
        ValueError: an entry names one that cannot be read, or one that was named before.
    """
    found: dict[str, tuple[int, NamedLetter]] = {}
    for entry in entries:
        for one in letters_of(entry.detail):
            known = notice_id(rollout, chain, one.about, one.kind)
            if known in found:
                raise ValueError(f"entry {entry.sequence} names letter {one.about}/{one.kind} a second time")
            found[known] = (entry.sequence, one)
    return found


def held(
    plan: RolloutPlan | None, rollout: str, chain: str, entries: Sequence[LogEntry], letters: Sequence[OutboxLetter]
) -> Held:
    """Hold the letters about a chain against its log.

    Args:
        plan: tells who a letter was for, where somebody is missing; None: unknown.

    Raises:
        ValueError: like `names_of`.
    """
    names = names_of(rollout, chain, entries)
    lying: dict[str, list[OutboxLetter]] = {}
    for letter in letters:
        lying.setdefault(letter.notice, []).append(letter)
    faults = [fault for known, said in names.items() for fault in _against(plan, known, *said, lying.get(known, []))]
    wrong = Counter(fault.notice for fault in faults)
    good = sum(len(lying.get(known, [])) for known in names if known not in wrong)
    unnamed: list[OutboxLetter] = []
    first = min((one.about for _, one in names.values()), default=None)
    for known, rows in lying.items():
        if known in names:
            continue
        problem = next((told for row in rows if (told := _odd(row, rollout, chain, first, len(entries)))), None)
        if problem:
            faults.append(Fault(problem, known))
        else:
            unnamed.extend(rows)
    return Held(good, tuple(faults), tuple(unnamed))


def unquoted(letter: OutboxLetter) -> str | None:
    """A letter's text without the checkpoint at its end, which was signed after the log had named the letter; None
    where what is quoted is not what programs were told."""
    told = letter.about.get("log")
    if told is None:
        return letter.body
    try:
        end = quoted(told["number"], told["size"], told["checkpoint"])
    except (KeyError, TypeError, AttributeError, IndexError):
        return None
    return letter.body.removesuffix(end) if letter.body.endswith(end) else None


def _against(
    plan: RolloutPlan | None, known: str, entry: int, named: NamedLetter, rows: Sequence[OutboxLetter]
) -> list[Fault]:
    if not rows:
        return [Fault("a letter that the log names is missing", known, entry=entry, expected=_short(named))]
    contacts = {row.contact for row in rows} - {PROGRAMS}
    found = [] if len(contacts) < len(rows) else [Fault("the letter for programs is missing", known, PROGRAMS, entry)]
    odd = [row for row in rows if _digest(row, contacts) != named.digest]
    if not odd:
        return found
    if len(odd) == len(rows):
        return found + (
            _whom(plan, known, entry, named, rows) or [_other(known, None, entry, named, rows[0], contacts)]
        )
    return found + [_other(known, row.contact, entry, named, row, contacts) for row in odd]


def _whom(
    plan: RolloutPlan | None, known: str, entry: int, named: NamedLetter, rows: Sequence[OutboxLetter]
) -> list[Fault]:
    """Who has a letter that was not for them, or has none, where that alone is what differs."""
    contacts = {row.contact for row in rows} - {PROGRAMS}
    for one in sorted(contacts):
        if any(_digest(row, contacts - {one}) == named.digest for row in rows):
            return [Fault("a letter goes to somebody to whom none was written", known, one, entry)]
    meant = set(recipients(plan, _notice(known, named, rows[0]))) if plan is not None else contacts
    if not any(_digest(row, meant) == named.digest for row in rows):
        return []
    missing = [Fault("a letter that the log names is missing", known, one, entry) for one in sorted(meant - contacts)]
    extra = sorted(contacts - meant)
    return missing + [Fault("a letter goes to somebody to whom none was written", known, one, entry) for one in extra]


def _other(
    known: str, contact: str | None, entry: int, named: NamedLetter, row: OutboxLetter, contacts: set[str]
) -> Fault:
    told = "the letter is not the one that the log names: its words, what it says to programs, or whom it goes to"
    return Fault(
        told, known, contact, entry, _digest(row, contacts) or "a checkpoint that it does not quote", named.digest
    )


def _digest(row: OutboxLetter, contacts: Iterable[str]) -> str | None:
    text = unquoted(row)
    return None if text is None else digest_of(row.kind, row.subject, text, row.about, tuple(contacts))


def _notice(known: str, named: NamedLetter, row: OutboxLetter) -> Notice:
    acting = row.about.get("must_act")
    roles = (one.get("role") for one in acting if isinstance(one, dict)) if isinstance(acting, list) else ()
    return Notice(
        notice_id=known,
        kind=named.kind,
        roles=named.to,
        subject=row.subject,
        body="",
        cause=named.cause,
        must_act=tuple(map(str, roles)),
    )


def _odd(row: OutboxLetter, rollout: str, chain: str, first: int | None, entries: int) -> str | None:
    """What is wrong with a letter that the log does not name; None where logs name none like it: those of the watch and
    of the sweep, and what a rollout of an earlier release wrote before the first that it names."""
    try:
        place = place_of(row.notice, rollout, chain)
    except ValueError:
        return "the letter is of another rollout"
    if place is None:
        tail = row.notice.removeprefix(f"{rollout}/{chain}/")
        goes_on = ELSEWHERE.get(row.kind)
        return None if goes_on and tail.startswith(goes_on) else "the log does not name this letter"
    about, kind = place
    if about > entries:
        return "the letter is about an entry that the log does not have"
    if kind != row.kind:
        return "the letter is of another kind than its id says"
    return None if first is None or about < first else "the log does not name this letter"


def _short(named: NamedLetter) -> str:
    return f"{named.kind} about entry {named.about}"


def became(letters: Iterable[OutboxLetter]) -> str:
    """What has become of the letters of a notice, in one line: to whom, by which channels, after how many tries."""
    return "; ".join(_one(letter) for letter in letters)


def _one(letter: OutboxLetter) -> str:
    whom = "programs" if letter.contact == PROGRAMS else letter.contact
    through = f" by {', '.join(letter.delivered)}" if letter.delivered else ""
    at = letter.sent_at or letter.refused_at
    when = f" {at:%Y-%m-%d %H:%M:%S}" if at else ""
    tries = f" after {letter.attempts} {'try' if letter.attempts == 1 else 'tries'}" if letter.attempts != 1 else ""
    why = f" ({letter.problem[:200]})" if letter.problem and letter.state in ("waiting", "refused") else ""
    gone = f", given up by {', '.join(letter.refused)}" if letter.refused else ""
    return f"to {whom}: {letter.state}{through}{when}{tries}{gone}{why}"


def with_letters(
    rows: Iterable[Row],
    plan: RolloutPlan | None,
    place: tuple[str, str],
    entries: Sequence[LogEntry],
    letters: Sequence[OutboxLetter],
) -> tuple[Row, ...]:
    """A timeline with what has become of the letters that its entries name, and rows for those that none names.

    Args:
        place: rollout and chain.
        entries: the log, from its first entry on, read before the letters were.

    Raises:
        ValueError: like `names_of`.
    """
    found = held(plan, *place, entries, letters)
    lying: dict[str, list[OutboxLetter]] = {}
    for letter in letters:
        lying.setdefault(letter.notice, []).append(letter)
    told: dict[int, list[str]] = {}
    named: dict[str, int] = {}
    for known, (entry, one) in names_of(*place, entries).items():
        named[known] = entry
        told.setdefault(entry, []).append(f"{one.kind}: {became(lying.get(known, ()))}")
    odd: dict[str, list[str]] = {}
    for fault in found.faults:
        odd.setdefault(fault.notice, []).append(f"{fault.what}{f' ({fault.contact})' if fault.contact else ''}")
    wrong: dict[int, list[str]] = {}
    for known, problems in odd.items():
        wrong.setdefault(named.get(known, 0), []).extend(problems)
    beside = [_row(known, each, odd.get(known, ())) for known, each in lying.items() if known not in named]
    return tuple(sorted((*(_told(row, told, wrong) for row in rows), *beside), key=lambda row: row.at))


def _told(row: Row, told: Mapping[int, Sequence[str]], wrong: Mapping[int, Sequence[str]]) -> Row:
    said = " | ".join(one for number in row.entries for one in told.get(number, ()))
    if not said:
        return row
    problems = [row.disagrees or "", *(one for number in row.entries for one in wrong.get(number, ()))]
    return row.model_copy(update={"letters": said, "disagrees": "; ".join(filter(None, problems)) or None})


def _row(known: str, letters: Sequence[OutboxLetter], problems: Sequence[str]) -> Row:
    """Letters of which the outbox alone tells."""
    first = letters[0]
    return Row(
        at=first.written_at,
        run_id="",
        event_id=0,
        kind=Kind.LETTER,
        what=f"letter {first.kind}",
        message=f"{first.subject} (no entry of the log names it)",
        evidence=str(first.about.get("evidence_digest") or ""),
        source=Source.OUTBOX,
        phase=str(first.about.get("phase") or ""),
        entry_kind=EntryKind.NOTICE.value,
        letters=became(letters),
        disagrees="; ".join(problems) or None,
    )
