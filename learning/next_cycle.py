"""The draft of the next cycle's plan: what the cycle before leaves to begin with, and why each part is as it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from learning.accepted import Accepted, accepted, clean_since
from learning.entries import ordered
from learning.margins import gate_looks
from learning.proposals import propose
from learning.record import DecisionRecord, GoesBy, RiskStory, decision_record
from models.base import short
from models.evidence import Verdict
from models.learning import ClosingReview, Ending, Judged, Readings
from models.log import LogEntry
from models.metric import CATALOGUE
from models.plan import OptionKey, Quality, RolloutPlan, Source, Supersedes
from models.plan_risk import Risk, ShownBy, Wait

TEXT, ID = 4000, 63
"""Characters that a text and an id of a plan may have."""

NONE = timedelta(0)

LITTLE = 0.05
"""Share of a rollout's length that waiting may take before it counts as a risk that came true."""


class Draft(NamedTuple):
    """A plan and the reasons for it: `head` about all of it, the others by dotted path of the field they stand by."""

    plan: RolloutPlan
    head: tuple[str, ...]
    reasons: dict[str, tuple[str, ...]]


def next_cycle(
    plan: RolloutPlan,
    log: Iterable[LogEntry],
    readings: Readings,
    *,
    today: date,
    taken: Collection[str] = (),
) -> Draft:
    """A draft that owners go through line by line; nothing starts it.

    Args:
        today: when it is written.
        taken: ids that other plans have.

    Raises:
        NothingAccepted: no evidence was accepted that it could rest on.
        ValueError: what the cycle before leaves does not make a valid plan; the message says what is missing.
    """
    entries = ordered(log)
    found = accepted(plan, entries, readings)
    record = decision_record(plan, entries, readings)
    review = record.review
    proposals = [
        propose(agreed, one, review.pauses, gate_looks(plan, agreed.metric, entries, readings))
        for agreed, one in zip(plan.metrics, found, strict=True)
    ]
    reasons = {
        f"metrics.{place}.{field}": told for place, one in enumerate(proposals) for field, told in one.reasons.items()
    }
    carried, gone = _risks(record)
    reasons["title"] = ("say what this cycle changes: title, options, decision and cohorts are the cycle before's",)
    reasons["risks"] = tuple(f"not carried, nothing came of it: {one.risk.risk}" for one in gone)
    first, reasons["phases.baseline_from"] = _first_day(plan, entries, readings)
    update: dict[str, Any] = {
        "id": next_id(plan.id, taken),
        "supersedes": Supersedes(rollout=plan.id, plan_digest=plan.digest),
        "quality": Quality.DRAFT,
        "updated": today,
        "sources": (*plan.sources, _source(plan, review)),
        "context": _context(plan, review, record),
        "risks": carried,
        "metrics": tuple(one.metric for one in proposals),
        "phases": plan.phases.model_copy(update={"baseline_from": first}),
        "freeze_windows": tuple(one for one in plan.freeze_windows if one.end > review.ended),
        "next_steps": (*_first(review), *plan.next_steps),
    }
    if review.ending is Ending.STOPPED and plan.chosen is not OptionKey.STAGED:
        update |= _staged(plan)
        reasons["chosen"] = (f"was {plan.chosen.value}: what was stopped begins with a pilot again",)
    drafted = plan.model_copy(update=update)
    # A copy is not checked: what is written must be a plan that can be read.
    checked = RolloutPlan.model_validate_json(drafted.model_dump_json(by_alias=True))
    return Draft(checked, tuple(_head(plan, record, found)), {path: told for path, told in reasons.items() if told})


def next_id(plan_id: str, taken: Collection[str]) -> str:
    """The id with the next free number behind it."""
    numbered = re.fullmatch(r"(.+)-([0-9]+)", plan_id)
    stem, number = (numbered[1], int(numbered[2])) if numbered and len(numbered[2]) < 4 else (plan_id, 1)
    while True:
        number += 1
        found = f"{stem[: ID - len(str(number)) - 1].rstrip('-')}-{number}"
        if found not in taken and found != plan_id:
            return found


def _source(plan: RolloutPlan, review: ClosingReview) -> Source:
    return Source(
        title=f"Decision record of {plan.id}",
        reference=f"plan {short(plan.digest)}, {review.began:%Y-%m-%d} to {review.ended:%Y-%m-%d}",
    )


def _context(plan: RolloutPlan, review: ClosingReview, record: DecisionRecord) -> str:
    """The old context, then what was learnt; what does not fit is cut off from the old."""
    learnt = [f"The cycle before ({plan.id}, plan {short(plan.digest)}) was {review.ending.value}: {review.summary}."]
    if record.stop is not None:
        learnt.append(record.stop.message)
    learnt += [f"{one.by} at a review: {one.said}" for one in review.remarks[-3:]]
    told = " ".join(" ".join(learnt).split())[: TEXT // 2]
    return f"{plan.context[: TEXT - len(told) - 2].rstrip()}\n\n{told}"


def _first(review: ClosingReview) -> tuple[str, ...]:
    """What has to come before all else."""
    if review.ending is Ending.STOPPED:
        return ("Say what has been done about the cause of the stop, before anybody approves the pilot",)
    return ()


def _risks(record: DecisionRecord) -> tuple[tuple[Risk, ...], tuple[RiskStory, ...]]:
    """Risks that are carried, with those that came true for the first time, and those of which nothing came."""
    gone = tuple(one for one in record.risks if _settled(one, record.review))
    kept = [one.risk for one in record.risks if one not in gone]
    named = {metric for one in record.risks for metric in one.metrics}
    for pause in record.review.pauses:
        new = [one for one in pause.metrics if one not in named]
        if new and pause.judged is not Judged.FALSE_ALARM:
            titles = " and ".join(CATALOGUE[one].title for one in new)
            kept.append(
                Risk(
                    risk=f"{titles} paused the cycle before on {pause.since:%Y-%m-%d}, {pause.judged.value}",
                    mitigation="Find the cause before the pilot; the guardrail stays as agreed",
                    shown_by=ShownBy(metrics=tuple(new)),
                )
            )
            named |= set(new)
    if not kept:
        kept, gone = [one.risk for one in record.risks], ()
    return tuple(kept), gone


def _settled(story: RiskStory, review: ClosingReview) -> bool:
    """Whether the log speaks of a risk and says that nothing came of it. Silence settles nothing."""
    if story.by is GoesBy.NOTHING or review.ending is not Ending.COMPLETED:
        return False
    looked = {one.metric for one in review.limits if one.looks}
    quiet = all(
        metric in looked
        and not any(one.beyond for one in review.limits if one.metric is metric)
        and not any(metric in one.metrics for one in review.pauses)
        for metric in story.metrics
    )
    drag = review.drag
    lost = [*(_waited(one, review) for one in story.waits), *(drag.by_role.get(one, NONE) for one in story.roles)]
    if story.drag:
        lost.append(drag.waited)
    return quiet and all(one < LITTLE * drag.length for one in lost)


def _waited(wait: Wait, review: ClosingReview) -> timedelta:
    """How long; all the time for data of which a reading could say nothing, or for which nobody was asked."""
    match wait:
        case Wait.PEOPLE:
            return review.drag.people
        case Wait.RESULTS:
            return review.drag.results
    silent = (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE)
    if (
        review.drag.data
        or not review.happened
        or any(one.looks.get(said) for one in review.happened for said in silent)
    ):
        return review.drag.length
    return NONE


def _first_day(plan: RolloutPlan, log: Iterable[LogEntry], readings: Readings) -> tuple[date | None, tuple[str, ...]]:
    """The first whole day after everything that went wrong, None where nothing did; and the reason."""
    clean = clean_since(plan, tuple(log), readings)
    if clean is None:
        return None, ("not set: nothing paused and nothing failed, so any window after the cycle before will do",)
    first = (clean + timedelta(days=1) - timedelta(microseconds=1)).date()
    starts = first + plan.phases.baseline_window
    return first, (
        f"the last pause or failed period ended {clean:%Y-%m-%d %H:%M}, and no part of it may stand in a baseline: "
        f"prepare holds until {starts:%Y-%m-%d}",
    )


def _staged(plan: RolloutPlan) -> dict[str, Any]:
    """Option B, with the approvals that it needs from those that there are."""
    given = plan.approvals
    rule = given.prepare_to_scale or given.override
    approvals = given.model_copy(
        update={
            "prepare_to_pilot": given.prepare_to_pilot or rule,
            "validate_to_scale": given.validate_to_scale or rule,
        }
    )
    return {"chosen": OptionKey.STAGED, "approvals": approvals}


def _head(plan: RolloutPlan, record: DecisionRecord, found: Iterable[Accepted]) -> Iterable[str]:
    review = record.review
    yield f"A draft of the cycle after {plan.id}, made of its plan, its log and its accepted evidence."
    yield "It starts nothing: owners go through it, change what this cycle is about, and start it themselves."
    yield f"{plan.id} was {review.ending.value}: {review.summary}."
    if record.stop is not None:
        yield f"{record.stop.message} {record.stop.rationale or ''}".strip()
    if review.ending is Ending.OPEN:
        yield "It is not over yet: write the draft again when it is."
    unjudged = sum(one.judged is Judged.UNJUDGED for one in review.pauses)
    if unjudged:
        yield f"Pauses judged by nobody: {unjudged} of {len(review.pauses)}; they count as neither right nor wrong."
    if any(one.frozen for one in found):
        yield "Where no reading was accepted, the baseline is the one that the first gate of the cycle before accepted."
