"""Tells who owns a metric that the data behind it cannot be trusted any more: while they cannot, it pauses nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from activities.telling import name_of, picture
from models.evidence import Assessment, MetricAssessment
from models.metric import CATALOGUE
from models.rollout import Notice
from store import notices
from store.marks import WatchMark
from store.pool import Connection
from store.rollouts import StoredRollout

KIND = "data-untrusted"


class Doubted(NamedTuple):
    """What a look found, and what was remembered of the looks before it."""

    rollout: StoredRollout
    assessment: Assessment
    before: WatchMark | None


async def tell_untrusted(conn: Connection, looks: Sequence[Doubted]) -> int:
    """Queue a notice to the owner of each metric of a cohort whose data have turned red; how many.

    Data that stay red are told of once. Key: rollout, cohort, metric and programme day, so that data that come and go
    are one letter a day, and a look that is repeated is none.
    """
    queued = 0
    for look in looks:
        for item in _newly(look):
            await notices.queue(conn, look.rollout.key, look.rollout.plan, _notice(look, item))
            queued += 1
    return queued


def _newly(look: Doubted) -> Iterator[MetricAssessment]:
    before = look.before.picture if look.before is not None else {}
    stands = picture(look.assessment)
    for item in look.assessment.items:
        name = name_of(item)
        if item.untrusted and before.get(name) != stands[name]:
            yield item


def _notice(look: Doubted, item: MetricAssessment) -> Notice:
    key, plan, now = look.rollout.key, look.rollout.plan, look.assessment.as_of
    spec = CATALOGUE[item.metric]
    why = "\n".join(f"- {reason}" for reason in item.reasons)
    return Notice(
        notice_id=f"{key.rollout_id}/{key.chain_id}/{KIND}/{item.cohort}/{item.metric.value}/{now:%Y-%m-%d}",
        kind=KIND,
        roles=(spec.owner_role,),
        subject=f"{plan.title}: the data of {spec.title} of {item.cohort} cannot be trusted",
        body=(
            f"{spec.title} of {item.cohort} cannot be judged:\n{why}\n"
            "Until its data can be trusted it passes no gate and pauses nobody, but where something is a breach by "
            "itself. Whoever does not want to wait can pause the rollout."
        ),
        programme_at=now,
        evidence_digest=look.assessment.digest,
        cause="data cannot be trusted",
        must_act=(spec.owner_role,),
    )
