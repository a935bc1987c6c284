"""`python -m bench.remembering [ROLLOUTS]`: what a worker process remembers of rollouts beside those that it has open.

Each of its memories has a bound. They are filled with what is made up here, as the activities of so many rollouts
would fill them, and printed is, as JSON, how many bytes the process has more after each.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import psutil

from bench.rollouts import BEGIN, DAY, plan_for
from models.evidence import CohortReading, GroupValue, PartnerReading, Window
from models.metric import MetricName
from models.work import RolloutKey
from store import frozen, rollouts
from store.evidence import Measured, PartnerRows, seal
from worker.giving_back import trim

ALL = 1000
"""Rollouts after which every memory is full."""

COHORTS = ("pilot", "control", "wave-amer", "wave-apac", "wave-emea")
PARTNERS = 26
METRICS = tuple(MetricName)[:6]
"""Of each cohort, and measured of each: the 780 rows that the example plan's baselines are measured from."""


def fill(count: int = ALL) -> Iterator[str]:
    """Remember so many rollouts; each part is named when it is full."""
    yield from _plans(count)
    yield from _baselines(count)


def _plans(count: int) -> Iterator[str]:
    plan = plan_for("remembered")
    for number in range(count):
        rollouts._digest(plan.model_copy(update={"id": f"remembered-{number}"}).model_dump_json(by_alias=True))
    yield f"{rollouts.plan_of.cache_info().currsize} plans, digests of {len(rollouts._digests):,}"


def _baselines(count: int) -> Iterator[str]:
    measured = _measured()
    names = [(RolloutKey(rollout_id=f"remembered-{n}", chain_id=f"chain-{n}"), f"digest-{n}") for n in range(count)]
    most = rollouts._baselines_of.cache_parameters()["maxsize"]
    for number, (key, digest) in enumerate(names):
        snapshot = measured.snapshot.model_copy(update={"digest": digest})
        found = rollouts.remember_baselines(key, measured._replace(snapshot=snapshot))
        if number >= count - most:
            rollouts._baselines_of(rollouts._BASELINES.dump_json(found).decode())
    yield f"baselines of {len(rollouts._baselines):,} rollouts, the rows of {len(frozen._packed):,} packed"
    asyncio.run(_open(names))
    yield f"rows that are open, {sum(one.size for one in frozen._open.values()):,}"


def _measured() -> Measured:
    window = Window(start=BEGIN - 28 * DAY, end=BEGIN)
    places = list(product(COHORTS, METRICS))
    chance = Random(7)  # noqa: S311 - only so that it packs no better than what was measured
    rows = [PartnerRows(cohort=cohort, metric=metric, partners=_partners(chance, cohort)) for cohort, metric in places]
    group = GroupValue(value=81.25, numerator=1234.5, denominator=678.0, n_partners=PARTNERS, n_facts=900)
    readings = [
        CohortReading(cohort=cohort, metric=metric, window=window, group=group, data_through=BEGIN)
        for cohort, metric in places
    ]
    return seal(BEGIN, readings, rows)


def _partners(chance: Random, cohort: str) -> tuple[PartnerReading, ...]:
    return tuple(
        PartnerReading(
            partner_id=f"{cohort}-{number}",
            numerator=round(chance.uniform(0, 9999), 2),
            denominator=float(chance.randrange(1, 400)),
            facts=chance.randrange(400),
        )
        for number in range(PARTNERS)
    )


async def _open(names: list[frozen.Named]) -> None:
    nobody: Any = None  # is asked of what is remembered
    for name in names[-50:]:
        await frozen.frozen_rows(nobody, *name)


def main(count: int) -> dict[str, int]:
    """Bytes that the process has more after each part."""
    give, process = trim(), psutil.Process()

    def memory() -> int:
        gc.collect()
        if give is not None:
            give()
        found: int = process.memory_full_info().uss
        return found

    # What comes with the first of each stays for all: compiled validators, modules.
    list(fill(2))
    before, found = memory(), {}
    for part in fill(count):
        after = memory()
        found[part], before = after - before, after
    return found


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
