"""Made-up rollouts: which weeks of the past they consist of, and what a window of them adds up to."""

from __future__ import annotations

import numpy as np
import pytest

from judgement.panel import Panel, panel_of, values, wrong_blocks
from judgement.resample import STATES_STRETCH, STRETCH, Timeline, added_up, draw_weeks, group_sums
from judgement.values import group_value
from models.evidence import PartnerReading
from models.metric import Block, MetricName
from tests.judgement.past import MARGIN, SCORE, SLA, VELOCITY, course, leads, steady

CHURN = MetricName.PARTNER_CHURN


def test_weeks_follow_each_other_but_for_one_jump_in_four_and_the_first_comes_after_the_last() -> None:
    panel = leads(np.random.default_rng(1), 3, weeks=20)
    drawn = draw_weeks(np.random.default_rng(2), panel, 50, 400)
    assert drawn.shape == (400, 50)
    assert set(np.unique(drawn)) == set(range(20))
    follows = (drawn[:, 1:] == (drawn[:, :-1] + 1) % 20).mean()
    # A jump leads to the next week by chance once in twenty.
    assert follows == pytest.approx(1 - (1 - 1 / 20) / STRETCH, abs=0.01)


def test_states_stay_together_for_a_quarter() -> None:
    panel = steady(SCORE, range(20))
    drawn = draw_weeks(np.random.default_rng(2), panel, 50, 400)
    follows = (drawn[:, 1:] == (drawn[:, :-1] + 1) % 20).mean()
    assert follows == pytest.approx(1 - (1 - 1 / 20) / STATES_STRETCH, abs=0.01)


def test_a_window_adds_up_the_days_that_lie_in_it() -> None:
    """Day d of the past has d leads; the rollout's weeks are the past's 3, 0, 1, 2, 2, 1 and so on."""
    panel = steady(SLA, range(28), partners=2)
    drawn = np.array([[3, 0, 1, 2, 2, 1, 0, 3, 3, 3]])
    days = [day for week in drawn[0] for day in range(7 * week, 7 * week + 7)]
    timeline = Timeline(panel, course(), drawn)
    first, last = np.array([-28, -10, 0, 3, 40]), np.array([0, -3, 1, 20, 42])
    found = added_up(panel, timeline.window(first, last))
    expected = [sum(days[28 + start : 28 + end]) for start, end in zip(first, last, strict=True)]
    assert found[0, :, 0, 0].tolist() == found[0, :, 1, 0].tolist() == expected
    assert found[0, :, 0, 1].tolist() == (last - first).tolist()
    assert group_sums(panel, timeline.baseline)[0, 0].tolist() == [2 * expected[0], 2 * 28]


def test_a_state_is_the_reading_of_the_week_of_the_window_s_last_day() -> None:
    panel = steady(SCORE, [10.0, 20.0, 30.0], partners=1)
    timeline = Timeline(panel, course(), np.array([[0, 1, 2, 0, 1, 2, 2, 0, 1, 1]]))
    found = added_up(panel, timeline.window(np.array([-90, -90, -90, -90]), np.array([0, 1, 7, 8])))
    assert found[0, :, 0, 0].tolist() == [10.0, 20.0, 20.0, 30.0]


def test_of_churn_the_losses_are_added_up_and_the_partners_are_not() -> None:
    panel = steady(CHURN, [0.0] * 27 + [1.0], partners=4)
    assert panel.block is Block.TENURE
    timeline = Timeline(panel, course(), np.array([[0, 1, 2, 3, 3, 0, 0, 0, 0, 0]]))
    total = group_sums(panel, timeline.window(np.array([-28, 0]), np.array([0, 14])))
    assert total[0].tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert values(panel, total, total[..., 1])[0].tolist() == [100.0, 100.0]


def _row(partner: str, numerator: float | None, denominator: float | None, **parts: float) -> PartnerReading:
    return PartnerReading(partner_id=partner, numerator=numerator, denominator=denominator, facts=2, parts=parts)


@pytest.mark.parametrize(
    ("metric", "rows"),
    [
        (SLA, [_row("b", 3, 4), _row("a", 1, 2)]),
        (SCORE, [_row("a", 80, 1, weight_applicable=10, weight_assessed=10), _row("b", None, None)]),
        (
            VELOCITY,
            [
                _row("a", 90, 6, won_value=90, won=3, cycle_days=18, lost=1, opportunities=4),
                _row("b", 0, None, won_value=0, won=0, lost=2, opportunities=2),
            ],
        ),
    ],
)
def test_a_panel_s_value_is_the_one_that_the_product_shows(metric: MetricName, rows: list[PartnerReading]) -> None:
    panel = panel_of(metric, [rows, []], ["a", "b", "nobody"])
    assert panel.partners == 3
    assert panel.facts[0].tolist() == [2, 2, 0]
    found = values(panel, panel.sums.sum(axis=1), panel.facts.sum(axis=1))
    assert found[0] == pytest.approx(group_value(metric, rows).value)
    assert np.isnan(found[1])


def test_rows_of_partners_who_were_not_asked_for_are_left_out() -> None:
    panel = panel_of(SLA, [[_row("a", 1, 2), _row("x", 50, 50)]], ["a"])
    assert panel.sums.sum() == 3


def test_blocks_with_amounts_that_cannot_be_added_are_wrong_and_empty_ones_are_not() -> None:
    fine = _row("a", 3, 10, cost_lines=2)
    assert wrong_blocks(MARGIN, [[fine], [], [_row("a", 3, 10, missing_fx=1)]]) == {2: "missing_fx_rate"}


def test_a_panel_keeps_whole_weeks() -> None:
    panel: Panel = steady(SLA, range(28))
    assert panel.keeping([1, 3]).sums[:, 0, 0].tolist() == [*range(7, 14), *range(21, 28)]
    assert panel.of([0, 2]).partners == 2
