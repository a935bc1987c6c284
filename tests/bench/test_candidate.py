"""The way to judge that is not in force: its error, its freedom, and what of it can be reckoned otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from bench.candidate import LENT, borrowed, pauses
from bench.judges import arms, form_of, ours
from bench.panel import LATEST, PLAIN, Kind, make
from judgement.estimate import Arm, Ratio, estimate


@pytest.mark.parametrize("kind", Kind)
def test_a_lent_error_is_never_less_than_ours_and_the_change_is_the_same(kind: Kind) -> None:
    pair = arms(make(kind, PLAIN, 8, 40, 20, np.random.default_rng(3)), 0, LATEST)
    found, inforce = borrowed(form_of(kind), *pair), estimate(form_of(kind), *pair)
    assert np.array_equal(found.change, inforce.change, equal_nan=True)
    there = np.isfinite(inforce.error) & np.isfinite(found.error)
    assert there.mean() > 0.9
    assert (found.error[there] >= inforce.error[there]).all()
    assert np.median(found.freedom[there] / inforce.freedom[there]) > 1.5


def test_without_a_past_that_explains_anything_it_is_a_moderated_variance() -> None:
    """With partners who were all alike no slope is fitted, and equal sizes make the jackknife that of plain means."""
    chance = np.random.default_rng(11)
    before = [np.stack([np.full(size, 50.0), np.full(size, 100.0)], axis=-1) for size in (8, 12)]
    rates = [chance.normal(0.5, 0.1, size) for size in (8, 12)]
    after = [np.stack([100 * rate, np.full(len(rate), 100.0)], axis=-1) for rate in rates]
    found = borrowed(Ratio(), *(Arm(one[None], other[None]) for one, other in zip(before, after, strict=True)))
    own = [100**2 * rate.var(ddof=1) / len(rate) for rate in rates]
    share = LENT / (LENT + 7)
    mine, theirs = (1 - share) * own[0], share * 12 / 8 * own[1] + own[1]
    assert found.error[0] == pytest.approx(np.sqrt(max(mine + theirs, sum(own))))
    assert found.freedom[0] == pytest.approx((mine + theirs) ** 2 / (mine**2 / 7 + theirs**2 / 11))


def test_plain_harm_is_seen_sooner_than_in_force() -> None:
    panel = make(Kind.SLA, PLAIN.harmed("harm", 5), 8, 40, 60, np.random.default_rng(8))
    first = [(one.argmax(axis=1) + 1)[one.any(axis=1)] for one in (pauses(panel), ours(panel).pauses)]
    assert len(first[0]) >= len(first[1]) > 50
    assert np.median(first[0]) < np.median(first[1]) - 3
