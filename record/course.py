"""What happened, in a record: phases, cohorts, who approved what when on which evidence, refusals and overrides."""

from __future__ import annotations

from collections.abc import Iterator

from learning.record import DecisionRecord, GateDecision, GateEnd, GateStory
from models.base import short
from record import people, terms
from record.document import Block, Heading, Para, Table
from record.words import N_, Words

DASH = "\N{EN DASH}"
END = {
    GateEnd.PASSED: N_("passed"),
    GateEnd.CLOSED: N_("closed by the evidence"),
    GateEnd.PAUSED: N_("overtaken by a pause"),
    GateEnd.STOPPED: N_("overtaken by a stop"),
    GateEnd.OPEN: N_("still open"),
}
REFUSALS = 50
"""Refusals that a record shows one by one; the log has all."""


def phase_name(words: Words, label: str) -> str:
    """A phase as the log calls it, in the reader's language."""
    name, _, wave = label.partition(" wave ")
    if not wave:
        return terms.phase(words, name)
    return words("%(phase)s, wave %(wave)s", phase=terms.phase(words, name), wave=wave)


def course(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """Phases with their dates, and cohorts with their partners."""
    yield Heading(2, words("What happened"))
    rows = [
        (
            phase_name(words, one.phase),
            words.moment(one.entered),
            words.moment(one.left) if one.left else DASH,
            words.span(one.left - one.entered) if one.left else DASH,
        )
        for one in record.phases
    ]
    heads = (words("Phase"), words("Entered"), words("Left"), words("Length"))
    yield Table(words("Phases, in programme time"), heads, rows)
    rows = [
        (
            one.name,
            words.count(one.partners) if one.partners is not None else DASH,
            words.moment(one.enrolled) if one.enrolled else words("never enrolled"),
            words.moment(one.withdrawn) if one.withdrawn else DASH,
        )
        for one in record.cohorts
    ]
    heads = (words("Cohort"), words("Partners"), words("Enrolled"), words("Withdrawn"))
    yield Table(words("Cohorts"), heads, rows)
    if record.stop is not None:
        yield Para(f"{words.moment(record.stop.programme_at)}: {record.stop.message} {record.stop.rationale or ''}")


def approvals(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """Every gate, how it ended, and who decided."""
    yield Heading(2, words("Who decided what, when, on which evidence"))
    if not record.gates:
        yield Para(words("No gate was opened."))
    for story in record.gates:
        yield Heading(3, f"{story.number}. {terms.gate(words, story.key)}")
        yield from gate_rounds(words, record, story)


def gate_rounds(words: Words, record: DecisionRecord, story: GateStory) -> Iterator[Block]:
    """Each opening of a gate."""
    for one in story.rounds:
        ended = words.moment(one.ended) if one.ended else DASH
        yield Para(
            words(
                "Opened %(opened)s on evidence %(evidence)s; %(end)s: %(ended)s.",
                opened=words.moment(one.opened),
                evidence=short(one.evidence) if one.evidence else DASH,
                end=words(END[one.end]),
                ended=ended,
            )
        )
        rows = [
            (
                _who(words, record, decision.by, decision.acted, decision.role),
                words("approved") if decision.approved else words("rejected"),
                words.moment(decision.at),
                short(decision.evidence) if decision.evidence else DASH,
                _why(words, decision),
                decision.signed or words("unsigned"),
            )
            for decision in one.decisions
        ]
        heads = (words("Who"), words("Decision"), words("When"), words("Evidence"), words("Why"), words("Signature"))
        if rows:
            yield Table(words("Decisions at this gate"), heads, rows)
        else:
            yield Para(words("Nobody decided."))


def _why(words: Words, decision: GateDecision) -> str:
    if decision.conflict is None:
        return decision.why
    return f"{decision.why} [{words('Conflict of interest')}: {decision.conflict}]"


def _who(words: Words, record: DecisionRecord, by: str, acted: str, role: str) -> str:
    name = f"{people.name_of(record.plan, by)} ({terms.role(words, role)})"
    if acted.casefold() == by.casefold():
        return name
    return words("%(acted)s for %(owner)s", acted=acted, owner=name)


def refused(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What was asked for and refused, and what people decided to let be."""
    yield Heading(2, words("Refusals and overrides"))
    if record.refusals:
        rows = [
            (words.moment(one.programme_at), one.actor or DASH, one.message, f"{one.sequence}")
            for one in record.refusals[:REFUSALS]
        ]
        heads = (words("When"), words("Who"), words("What"), words("Entry"))
        yield Table(words("Refused"), heads, rows)
        if len(record.refusals) > REFUSALS:
            more = len(record.refusals) - REFUSALS
            yield Para(words.many("%(num)s more stands in the log.", "%(num)s more stand in the log.", more))
    else:
        yield Para(words("Nothing was refused."))
    if record.overrides:
        rows = [
            (words.moment(one.programme_at), one.actor or DASH, one.message, one.rationale or DASH)
            for one in record.overrides
        ]
        yield Table(words("Overrides"), (words("When"), words("Who"), words("What"), words("Why")), rows)
    else:
        yield Para(words("Nothing was overridden."))
