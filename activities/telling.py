"""What the watch has to tell a rollout after a look: a breach, a change, or once a day that all is as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from models.base import digest_json
from models.command import WATCH_ACTOR, ReportBreach, ReportEvidence, Verb
from models.evidence import Assessment, MetricAssessment, Verdict
from models.metric import MetricUse
from models.work import RolloutKey
from store.marks import WatchMark

DAILY = timedelta(days=1)
"""Programme time after which the watch speaks even if nothing has changed."""

LONGEST_REASON = 500


class Word(NamedTuple):
    """One signal to a rollout."""

    verb: Verb
    command: ReportBreach | ReportEvidence


def next_word(key: RolloutKey, assessment: Assessment, mark: WatchMark | None) -> Word | None:
    """The one signal that a look calls for, if any.

    Its request id is made from what was seen: a repeated look at the same facts repeats the same request.
    """
    seen = signature(assessment)
    told = mark.breached if mark else ()
    request_id, as_of = _request_id(key, assessment, seen), assessment.as_of
    newly = next((item for item in assessment.items if _is_breach(item) and _name(item) not in told), None)
    if newly is not None:
        return Word(
            Verb.REPORT_BREACH,
            ReportBreach(
                request_id=request_id,
                actor=WATCH_ACTOR,
                reason=_bounded(f"{newly.metric.value} of {newly.cohort} is not met: {'; '.join(newly.reasons)}"),
                metric=newly.metric,
                cohort=newly.cohort,
                as_of=as_of,
            ),
        )
    changed = mark is None or mark.signature != seen
    if not changed and mark is not None and mark.told_at is not None and as_of < mark.told_at + DAILY:
        return None
    return Word(
        Verb.REPORT_EVIDENCE,
        ReportEvidence(
            request_id=request_id,
            actor=WATCH_ACTOR,
            reason=_bounded(summary(assessment)) if changed else "nothing has changed",
            as_of=as_of,
            changed=changed,
            evidence_digest=assessment.digest,
        ),
    )


def next_mark(mark: WatchMark | None, assessment: Assessment, *, told: bool) -> WatchMark:
    """What to remember of a look."""
    return WatchMark(
        evaluated_at=assessment.as_of,
        told_at=assessment.as_of if told else (mark.told_at if mark else None),
        signature=signature(assessment),
        breached=tuple(_name(item) for item in assessment.items if _is_breach(item)),
    )


def signature(assessment: Assessment) -> str:
    """The picture a rollout cares about: while it is the same there is nothing new to tell."""
    return digest_json(
        [
            [item.cohort, item.metric.value, item.verdict.value, item.data_current, item.minimum_sample_reached]
            for item in assessment.items
        ]
        + [["stop", one.condition, one.metric.value, one.cohort] for one in assessment.stop]
    )


def summary(assessment: Assessment) -> str:
    """How many readings have which verdict."""
    counts = {verdict: sum(item.verdict is verdict for item in assessment.items) for verdict in Verdict}
    found = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    found += [f"stop condition fulfilled: {one.condition}" for one in assessment.stop]
    return ", ".join(found) or "nothing could be judged"


def _is_breach(item: MetricAssessment) -> bool:
    return item.use is MetricUse.GUARDRAIL and item.verdict is Verdict.NOT_MET


def _name(item: MetricAssessment) -> str:
    return f"{item.cohort}/{item.metric.value}"


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _request_id(key: RolloutKey, assessment: Assessment, seen: str) -> str:
    found = digest_json([key.rollout_id, key.chain_id, assessment.as_of.isoformat(), seen])
    return f"watch-{found.removeprefix('sha256:')[:24]}"
