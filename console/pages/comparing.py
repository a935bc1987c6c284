"""What changed between two assessments: shown to whoever read one while another took its place."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from console.pages.words import Words
from models.evidence import Assessment, MetricAssessment
from store.evidence import read_assessment


class Difference(NamedTuple):
    """A metric of a cohort that says something else now. A verdict is None where the metric was not judged."""

    cohort: str
    metric: str
    then: str | None
    now: str | None
    value_then: str
    value_now: str


async def what_changed(
    pool: asyncpg.Pool[asyncpg.Record], words: Words, name: str, seen: str, now: str
) -> tuple[Difference, ...] | None:
    """The differences; None where one of them is no assessment in the store, as the evidence of a baseline is not."""
    async with pool.acquire() as conn:
        before, after = await read_assessment(conn, name, seen), await read_assessment(conn, name, now)
    return differences(words, before, after) if before and after else None


def differences(words: Words, before: Assessment, after: Assessment) -> tuple[Difference, ...]:
    """What has another verdict or another value, in the order of the later one."""
    then = {(one.cohort, one.metric): one for one in before.items}
    now = {(one.cohort, one.metric): one for one in after.items}
    found = [_difference(words, key, then.get(key), now.get(key)) for key in dict.fromkeys((*now, *then))]
    return tuple(one for one in found if (one.then, one.value_then) != (one.now, one.value_now))


def _difference(
    words: Words, key: tuple[str, str], then: MetricAssessment | None, now: MetricAssessment | None
) -> Difference:
    return Difference(
        cohort=key[0],
        metric=key[1],
        then=then.verdict.value if then else None,
        now=now.verdict.value if now else None,
        value_then=words.number(then.value if then else None, 2),
        value_now=words.number(now.value if now else None, 2),
    )
