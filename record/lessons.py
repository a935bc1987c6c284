"""What a record says in hindsight: pauses and how they were judged, where the time went, risks, what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from learning.record import DecisionRecord, GoesBy, RiskStory
from models.command import PauseVerdict
from models.evidence import Verdict
from models.learning import ClosingReview, Drag, Judged, PauseReview, Waiting
from models.plan_risk import Wait
from record import people, terms
from record.course import DASH, phase_name
from record.document import Block, Heading, Items, Para, Table
from record.words import N_, Words

JUDGED = {
    Judged.RIGHT: N_("judged right"),
    Judged.FALSE_ALARM: N_("judged a false alarm"),
    Judged.DISPUTED: N_("disputed"),
    Judged.UNJUDGED: N_("not judged by anybody"),
}
SAID = {PauseVerdict.RIGHT: N_("right"), PauseVerdict.FALSE_ALARM: N_("a false alarm")}
GOES_BY = {
    GoesBy.PLAN: N_("By what the plan names:"),
    GoesBy.WORDS: N_("By the words of the risk, since the plan names nothing:"),
    GoesBy.NOTHING: N_("The log does not speak of it by name; owners' remarks and surprises may."),
}
WAITING = {
    Waiting.RESUME: N_("paused until resumed (people)"),
    Waiting.APPROVAL: N_("gate open until approved (people)"),
    Waiting.CONFIRMATION: N_("ownership to be confirmed (people)"),
    Waiting.REVIEW: N_("review missed (people)"),
    Waiting.BASELINE: N_("baseline (data)"),
    Waiting.EVIDENCE: N_("evidence (data)"),
    Waiting.WATCH_SILENT: N_("watch silent (data)"),
    Waiting.STORE: N_("store unavailable (data)"),
    Waiting.KEYS: N_("keys unavailable (data)"),
    Waiting.OUTCOME: N_("outcomes not met (results)"),
}


def pauses(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What paused, why, how long, and what owners say of it."""
    yield Heading(2, words("Pauses"))
    found = record.review.pauses
    if not found:
        yield Para(words("Nothing paused."))
        return
    heads = (
        *(words("Entry"), words("Phase"), words("Since"), words("Length")),
        *(words("Why"), words("Resumed by"), words("In hindsight")),
    )
    yield Table(words("Every pause"), heads, [_pause(words, record, one) for one in found])


def _pause(words: Words, record: DecisionRecord, one: PauseReview) -> tuple[str, ...]:
    said = [
        f"{people.name_of(record.plan, judgement.by)}: " + words(SAID[judgement.verdict]) + f" ({judgement.why})"
        for judgement in one.judgements
    ]
    return (
        f"{one.sequence}",
        phase_name(words, one.phase),
        words.moment(one.since),
        words.span(one.until - one.since) if one.until else words("it stands"),
        one.detail,
        _resumed(words, record, one),
        "; ".join((words(JUDGED[one.judged]), *said)),
    )


def _resumed(words: Words, record: DecisionRecord, one: PauseReview) -> str:
    name = people.name_of(record.plan, one.resumed_by)
    if one.resumed_in_place is None:
        return name or DASH
    return words("%(acted)s for %(owner)s", acted=one.resumed_in_place, owner=name)


def time(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """Where the time went: execution drag as a number."""
    drag = record.review.drag
    yield Heading(2, words("Where the time went"))
    yield Para(drag_words(words, drag))
    if drag.by_reason:
        rows = [(words(WAITING[one]), _days(words, took)) for one, took in drag.by_reason.items()]
        rows.append((words("moving"), _days(words, drag.moving)))
        rows.append((words("in all"), _days(words, drag.length)))
        yield Table(words("By reason; no moment counts twice"), (words("Reason"), words("Days")), rows)
    if drag.by_role:
        rows = [(terms.role(words, role), _days(words, took)) for role, took in drag.by_role.items()]
        yield Table(words("By role that could have acted; these overlap"), (words("Role"), words("Days")), rows)


def drag_words(words: Words, drag: Drag) -> str:
    """Execution drag in a sentence."""
    return words(
        "Of %(length)s days %(waited)s were waiting, %(share)s: %(people)s for people, %(data)s for data, "
        "%(results)s for results.",
        length=_days(words, drag.length),
        waited=_days(words, drag.waited),
        share=f"{words.number(100 * drag.share, 0)} %",
        people=_days(words, drag.people),
        data=_days(words, drag.data),
        results=_days(words, drag.results),
    )


def _days(words: Words, length: timedelta) -> str:
    return words.number(length / timedelta(days=1), 1)


def _readings(words: Words, number: int) -> str:
    return words.many("%(num)s reading", "%(num)s readings", number)


def surprises(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What the plan did not expect, as the log has it."""
    yield Heading(2, words("Surprises"))
    found = record.review.surprises
    if not found:
        yield Para(words("Nothing surprised."))
        return
    yield Items([f"{words.day(one.at)}: {one.told}" if one.at else one.told for one in found])


def risks(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """Each risk of the plan and what became of it."""
    yield Heading(2, words("Risks and what became of them"))
    for one in record.risks:
        yield Heading(3, one.risk.risk)
        yield Para(words("Mitigation: %(mitigation)s", mitigation=one.risk.mitigation))
        yield Items([words(GOES_BY[one.by]), *_became(words, record, one)])


def _became(words: Words, record: DecisionRecord, story: RiskStory) -> Iterator[str]:
    review = record.review
    for metric in story.metrics:
        paused = sum(metric in one.metrics for one in review.pauses)
        yield words(
            "%(metric)s: beyond a limit in %(beyond)s, %(paused)s.",
            metric=terms.metric(words, metric),
            beyond=_readings(words, story.beyond.get(metric, 0)),
            paused=words.many("%(num)s pause", "%(num)s pauses", paused),
        )
    for wait in story.waits:
        yield _waited(words, review, wait)
    for role in story.roles:
        yield words(
            "%(role)s could have acted for %(days)s days and had not.",
            role=terms.role(words, role),
            days=_days(words, review.drag.by_role.get(role, timedelta(0))),
        )
    if story.drag:
        yield drag_words(words, review.drag)


def _waited(words: Words, review: ClosingReview, wait: Wait) -> str:
    match wait:
        case Wait.PEOPLE:
            return words("%(days)s days were waited for people.", days=_days(words, review.drag.people))
        case Wait.RESULTS:
            return words("%(days)s days were waited for results.", days=_days(words, review.drag.results))
    silent = sum(
        count
        for one in review.happened
        for verdict, count in one.looks.items()
        if verdict in (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE)
    )
    return words(
        "Of %(looks)s %(silent)s could say nothing; %(days)s days were waited for data.",
        looks=_readings(words, sum(sum(one.looks.values()) for one in review.happened)),
        silent=words.count(silent),
        days=_days(words, review.drag.data),
    )


def following(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What owners said at checkpoints, and what the plan named as next."""
    yield Heading(2, words("Remarks of the owners"))
    remarks = [
        f"{words.day(one.at)}, {people.name_of(record.plan, one.by)}: {one.said}" for one in record.review.remarks
    ]
    if remarks:
        yield Items(remarks)
    else:
        yield Para(words("No review checkpoint was held."))
    yield Heading(2, words("Next"))
    yield Items(record.plan.next_steps)
