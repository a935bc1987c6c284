"""A pilot that was picked on its last good month stands out, and one that was drawn by lot seldom does."""

from __future__ import annotations

import numpy as np
import pytest

from judgement.panel import Panel
from judgement.picked import picked
from tests.judgement.past import VELOCITY, leads, steady
from tests.judgement.readings import SLA


def _market(seed: int) -> Panel:
    return leads(np.random.default_rng(seed), 40, weeks=16, weekly=0.1)


def _of_the(panel: Panel, places: np.ndarray) -> tuple[Panel, Panel]:
    rest = np.setdiff1d(np.arange(panel.partners), places)
    return panel.of(places.tolist()), panel.of(rest.tolist())


@pytest.mark.parametrize(("sign", "rank"), [(-1, 0.99), (1, 0.01)])
def test_the_best_and_the_worst_of_the_last_four_weeks_are_told(sign: int, rank: float) -> None:
    market = _market(1)
    last = market.sums[-28:].sum(axis=0)
    order = np.argsort(sign * last[:, 0] / last[:, 1])
    found = picked(*_of_the(market, order[:12]), np.random.default_rng(2))
    assert found is not None
    assert found.rank == pytest.approx(rank, abs=0.02)
    assert found.moved * -sign > 0
    assert found.stands_out


def test_of_pilots_drawn_by_lot_about_one_in_ten_stands_out() -> None:
    rng, told = np.random.default_rng(3), 0
    for seed in range(40):
        market = _market(10 + seed)
        found = picked(*_of_the(market, rng.permutation(40)[:12]), rng)
        assert found is not None
        told += found.stands_out
    assert told <= 8


def test_better_partners_who_always_were_are_no_luck() -> None:
    market = _market(4)
    better = market.sums.copy()
    better[:, :12, 0] = better[:, :12, 1] * 0.97
    found = picked(*_of_the(market._replace(sums=better), np.arange(12)), np.random.default_rng(2))
    assert found is not None
    assert not found.stands_out


def test_without_others_only_its_own_past_is_looked_at() -> None:
    found = picked(_market(5).of(range(12)), None, np.random.default_rng(2))
    assert found is not None
    assert (found.groups, found.rank) == (0, 0.5)


def test_of_an_amount_the_rise_is_in_percent_and_more_weeks_are_no_rise() -> None:
    panel = steady(VELOCITY, [100.0] * 84)
    panel = panel._replace(sums=np.stack((panel.sums[..., 0], *[np.ones(panel.sums.shape[:2])] * 2), axis=-1))
    found = picked(panel, None, np.random.default_rng(2))
    assert found is not None
    assert found.moved == pytest.approx(0)


def test_too_few_weeks_or_no_value_say_nothing() -> None:
    assert picked(steady(SLA, [9] * 49, 10), None, np.random.default_rng(1)) is None
    assert picked(steady(SLA, [0] * 84, 0), None, np.random.default_rng(1)) is None
