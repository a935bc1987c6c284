"""One entry per gate, in the shape of a Markdown Any Decision Record: context, options, outcome, consequences."""

from __future__ import annotations

from learning.record import DecisionRecord, GateEnd, GateStory
from models.base import short
from record import terms
from record.course import END, gate_rounds
from record.document import Block, Document, Heading, Items, Para, Table
from record.words import Words


def gate_entry(words: Words, record: DecisionRecord, story: GateStory) -> Document:
    """The entry of one gate."""
    last = story.rounds[-1]
    name = terms.gate(words, story.key)
    blocks: list[Block] = [
        Table(
            words("About this decision"),
            (words("What"), words("Value")),
            [
                (words("Status"), words(END[last.end])),
                (words("Date"), words.moment(last.ended or last.opened)),
                (words("Plan"), f"{record.plan.id} ({short(record.review.plan_digest)})"),
                (words("Entries of the log"), ", ".join(str(one.sequence) for one in story.rounds)),
            ],
        ),
        Heading(2, words("Context")),
        Para(record.plan.decision),
        *_verdicts(words, story),
        Heading(2, words("Options")),
        Items([words("approve: the next phase begins"), words("reject: the rollout pauses")]),
        Heading(2, words("Decision")),
        *gate_rounds(words, record, story),
        Heading(2, words("Consequences")),
        Items([one.why for one in story.rounds if one.why] or [words("None yet: the gate is open.")]),
    ]
    if last.end is not GateEnd.OPEN:
        return Document(words.language, f"{story.number}. {name}", blocks)
    return Document(words.language, f"{story.number}. {name} ({words(END[GateEnd.OPEN])})", blocks)


def _verdicts(words: Words, story: GateStory) -> list[Block]:
    """What the evidence said on which it was decided last."""
    found = story.rounds[-1].verdicts
    if not found:
        return [Para(words("Decided on frozen baselines: nobody was enrolled, so nothing was judged yet."))]
    rows = []
    for name, verdict in sorted(found.items()):
        cohort, _, metric = name.partition("/")
        rows.append((terms.metric(words, metric), cohort, terms.term(words, terms.VERDICT, verdict)))
    return [Table(words("Verdicts"), (words("Metric"), words("Cohort"), words("Verdict")), rows)]
