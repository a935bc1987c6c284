"""The framework's own chapters of a record: names, quality and sources, context, options, decision, rationale."""

from __future__ import annotations

from collections.abc import Iterator

from learning.record import DecisionRecord
from models.base import short
from models.learning import Ending
from models.plan import OptionKey
from record.document import Block, Heading, Items, Para, Table
from record.words import N_, Words

ENDING = {
    Ending.COMPLETED: N_("Completed: every phase of the plan was passed."),
    Ending.STOPPED: N_("Stopped before the end of the plan."),
    Ending.OPEN: N_("Not over yet: this record tells how far it has come."),
}
QUALITY = {"draft": N_("Draft"), "reviewed": N_("Reviewed"), "approved": N_("Approved")}


def head(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What it is, how it ended, and what it rests on."""
    plan, review = record.plan, record.review
    yield Para(words(ENDING[review.ending]))
    rows = [
        (words("Framework"), f"{plan.framework}: {plan.name_variants.english}"),
        (words("Katakana"), plan.name_variants.katakana),
        (words("Kanji"), plan.name_variants.kanji),
        (words("Quality"), words(QUALITY[plan.quality])),
        (words("Updated"), plan.updated.isoformat()),
        (words("Conflict of interest"), plan.conflict_of_interest.statement),
        (words("Plan"), f"{plan.id} ({short(review.plan_digest)})"),
        (words("From"), words.moment(review.began)),
        (words("Until"), words.moment(review.ended)),
        (words("Proposed by"), plan.proposer),
        (words("Entries of the log"), words.count(review.entries)),
    ]
    yield Table(words("About this record"), (words("What"), words("Value")), rows)
    yield Heading(2, words("Sources and citations"))
    yield Items([f"{one.title}: {one.reference}" for one in plan.sources])


def decided(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What was decided before anything began, as it was signed off."""
    plan = record.plan
    yield Heading(2, words("Context"))
    yield Para(plan.context)
    yield Heading(2, words("Options"))
    for key in OptionKey:
        option = getattr(plan.options, key.value)
        chosen = words("Option %(key)s (chosen)", key=key.value)
        yield Heading(3, chosen if key is plan.chosen else words("Option %(key)s", key=key.value))
        yield Para(option.description)
        gains = [words("For it: %(gain)s", gain=one) for one in option.gains]
        yield Items(gains + [words("Against it: %(cost)s", cost=one) for one in option.costs])
    yield Heading(2, words("Decision"))
    yield Para(plan.decision)
    yield Heading(2, words("Rationale"))
    yield Para(plan.rationale)
    yield Para(plan.trade_off)
