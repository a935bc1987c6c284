"""The bench judges many rollouts at once; what it calls ours is what the product says of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.judges import JUDGES, STAGES, ours
from bench.panel import BASELINE, DAYS, LATEST, PLAIN, Kind, Panel, World, make
from judgement.estimate import Floats
from judgement.material import Asked, Sides, Stretch, judge_change
from models.evidence import PartnerReading, Verdict
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
METRIC = {
    Kind.SLA: (MetricName.LEAD_FOLLOW_UP_SLA, Margin(number=5)),
    Kind.MARGIN: (MetricName.CONTRIBUTION_MARGIN, Margin(number=3)),
    Kind.VELOCITY: (MetricName.PIPELINE_VELOCITY, Margin(number=15, relative=True)),
}


def reading(kind: Kind, number: int, sums: Floats) -> PartnerReading:
    parts = dict(zip(("won_value", "won", "cycle_days"), map(float, sums), strict=True)) if len(sums) == 3 else {}
    numerator, denominator = (None, None) if parts else (float(sums[0]), float(sums[1]))
    return PartnerReading(
        partner_id=f"p{number:03}", numerator=numerator, denominator=denominator, facts=1, parts=parts
    )


def sides(panel: Panel, rollout: int, days: slice) -> Sides:
    rows = [reading(panel.kind, n, sums) for n, sums in enumerate(panel.sums[rollout, :, days].sum(axis=1))]
    return Sides(rows[: panel.pilot], rows[panel.pilot :])


def verdict(panel: Panel, rollout: int, day: int, method: int) -> Verdict:
    """The product's, on the evening of that day."""
    metric, margin = METRIC[panel.kind]
    matured = day - LATEST
    stretches = [
        Stretch(BEGAN + stage * DAY, sides(panel, rollout, slice(BASELINE + stage, BASELINE + matured)))
        for stage in STAGES
        if stage < matured
    ]
    asked = Asked(
        metric=metric,
        rule=ChangeRule(margin=margin).model_copy(update={"method": method}),
        before=sides(panel, rollout, slice(0, BASELINE)),
        stretches=stretches,
        matured_through=BEGAN + matured * DAY,
        ends=BEGAN + DAYS * DAY,
        enlargements=len(STAGES) - 1,
    )
    return judge_change(asked)[0]


@pytest.mark.parametrize("method", [1, 2])
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("world", [PLAIN, PLAIN.harmed("harm", 2), PLAIN.harmed("late harm", 3, onset=30)])
def test_ours_in_the_bench_is_what_the_product_says(kind: Kind, world: World, method: int) -> None:
    panel = make(kind, world, 12, 24, 3, np.random.default_rng(5))
    found = ours(panel, method)
    for rollout in range(3):
        for day in (10, 14, 41, 44, 60, 75, DAYS):
            said = verdict(panel, rollout, day, method)
            assert bool(found.pauses[rollout, day - 1]) is (said is Verdict.NOT_MET)
            assert bool(found.met[rollout, day - 1]) is (said is Verdict.MET)


def test_a_late_feed_is_complete_once_its_days_have_matured() -> None:
    """Ours and the method before it wait for that; whoever does not sees fewer leads answered than there are."""
    world = World("late", late=True)
    panel = make(Kind.SLA, world, 40, 40, 20, np.random.default_rng(1))
    told = panel._replace(known=np.ones_like(panel.known))
    assert (ours(panel).pauses == ours(told).pauses).all()
    early = JUDGES["ours without maturing"]
    assert early(panel).pauses.sum() > early(told).pauses.sum()
