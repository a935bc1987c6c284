"""What the watch has to tell a rollout after a look: a breach, a change, or once a day that all is as it was."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from models.base import digest_json
from models.command import NOTHING_CHANGED, WATCH_ACTOR, DailyWord, ReportBreach, ReportEvidence, Verb
from models.evidence import Assessment, MetricAssessment, Verdict
from models.metric import MetricUse
from models.quality import Check, Severity
from models.work import RolloutKey
from store.marks import Picture, WatchMark

DAILY = timedelta(days=1)
"""Programme time after which the watch speaks even if nothing has changed."""

LONGEST_REASON = 500

QUIET_DIGEST = len("sha256:") + 16
"""Nothing rests on what a word names that tells of no change; these digits find it in the store."""


class Word(NamedTuple):
    """One signal to a rollout."""

    verb: Verb
    command: ReportBreach | ReportEvidence | DailyWord


class Sight(NamedTuple):
    """What a look saw. `whole` is a look at every metric of every watched cohort; `since` is when the rollout last
    began to count breaches, at its start or when it was resumed; `short`: it reads the daily word in short."""

    key: RolloutKey
    assessment: Assessment
    cohorts: Collection[str]
    whole: bool
    since: datetime
    short: bool = False


def next_word(sight: Sight, mark: WatchMark | None) -> Word | None:
    """The one signal that a look calls for, if any.

    Its request id is made from what was seen and from when the rollout was last told something: whoever looks again
    because the one before did not get to write down what it told, repeats the same request.
    """
    assessment, after = sight.assessment, next_mark(sight, mark, told=False)
    told = _told_of(sight, mark)
    newly = next((item for item in assessment.items if _is_breach(item) and name_of(item) not in told), None)
    if newly is not None:
        return Word(
            Verb.REPORT_BREACH,
            ReportBreach(
                request_id=_request_id(sight.key, after, mark),
                actor=WATCH_ACTOR,
                reason=_bounded(f"{newly.metric.value} of {newly.cohort} is not met: {'; '.join(newly.reasons)}"),
                metric=newly.metric,
                cohort=newly.cohort,
                as_of=assessment.as_of,
                snapshot_digest=assessment.snapshot_digest,
            ),
        )
    changed = mark is None or mark.picture != after.picture
    if not changed and not _daily_word_is_due(sight, mark):
        return None
    if sight.short and not changed:
        seen_at = assessment.as_of.replace(microsecond=0)
        return Word(Verb.REPORT_EVIDENCE, DailyWord(as_of=seen_at, evidence_digest=assessment.digest[:QUIET_DIGEST]))
    return Word(
        Verb.REPORT_EVIDENCE,
        ReportEvidence(
            request_id=_request_id(sight.key, after, mark),
            actor=WATCH_ACTOR,
            reason=_bounded(summary(assessment)) if changed else NOTHING_CHANGED,
            as_of=assessment.as_of,
            changed=changed,
            evidence_digest=assessment.digest if changed else assessment.digest[:QUIET_DIGEST],
        ),
    )


def next_mark(sight: Sight, mark: WatchMark | None, *, told: bool) -> WatchMark:
    """What to remember of a look. What it did not look at stays as it was seen last."""
    assessment = sight.assessment
    seen = {item.metric.value for item in assessment.items}
    before = {} if mark is None or sight.whole else mark.picture
    kept = {name: words for name, words in before.items() if _stands(name, sight.cohorts, seen)}
    return WatchMark(
        evaluated_at=assessment.as_of if mark is None or sight.whole else mark.evaluated_at,
        told_at=assessment.as_of if told else (mark.told_at if mark else None),
        breached=(
            *(name for name in (mark.breached if mark else ()) if name in kept),
            *(name_of(item) for item in assessment.items if _is_breach(item)),
        ),
        picture={**kept, **picture(assessment)},
    )


def picture(assessment: Assessment) -> Picture:
    """What a rollout cares about in an assessment."""
    found: Picture = {
        name_of(item): (item.verdict.value, str(item.data_current), str(item.minimum_sample_reached))
        for item in assessment.items
    }
    found |= {f"{one.cohort}/{one.metric.value}/{one.condition}": ("stop",) for one in assessment.stop}
    return found | {
        f"{name_of(item)}/restated": (severity,) for item in assessment.items if (severity := _restated(item))
    }


def _restated(item: MetricAssessment) -> str | None:
    """How far the value moved because facts were said anew: that calls for a new assessment, also of what stays met."""
    found = (one.severity for one in item.quality if one.check is Check.RESTATEMENT)
    return next((one.value for one in found if one is not Severity.GREEN), None)


def summary(assessment: Assessment) -> str:
    """How many readings have which verdict."""
    counts = {verdict: sum(item.verdict is verdict for item in assessment.items) for verdict in Verdict}
    found = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    found += [f"stop condition fulfilled: {one.condition}" for one in assessment.stop]
    return ", ".join(found) or "nothing could be judged"


def _told_of(sight: Sight, mark: WatchMark | None) -> tuple[str, ...]:
    """The breaches a rollout knows of. What it was told before it was resumed it has dealt with: the next is news."""
    if mark is None or mark.told_at is None or mark.told_at < sight.since:
        return ()
    return mark.breached


def _daily_word_is_due(sight: Sight, mark: WatchMark | None) -> bool:
    if not sight.whole or mark is None:
        return False
    return mark.told_at is None or sight.assessment.as_of >= mark.told_at + DAILY


def _stands(name: str, cohorts: Collection[str], seen: Collection[str]) -> bool:
    cohort, metric, *_ = name.split("/")
    return cohort in cohorts and metric not in seen


def _is_breach(item: MetricAssessment) -> bool:
    return item.use is MetricUse.GUARDRAIL and item.verdict is Verdict.NOT_MET


def name_of(item: MetricAssessment) -> str:
    """Under which name a picture has it."""
    return f"{item.cohort}/{item.metric.value}"


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _request_id(key: RolloutKey, after: WatchMark, before: WatchMark | None) -> str:
    told_at = before.told_at.isoformat() if before and before.told_at else None
    found = digest_json([key.rollout_id, key.chain_id, told_at, after.signature])
    return f"watch-{found.removeprefix('sha256:')[:24]}"
