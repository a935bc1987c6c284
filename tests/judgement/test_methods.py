"""Each version of the method: what the first once said it says for good, and what the second changes about a pause."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.judges import arms as looked_at
from bench.judges import form_of, ours
from bench.panel import LATEST, PLAIN, Kind, make
from judgement.estimate import Arm, Floats, Form, LogVelocity, Ratio, estimate
from judgement.material import judge_change
from judgement.methods import LENT, METHODS, SQUARE, estimates
from judgement.verdicts import Schedule
from models.evidence import Verdict
from models.plan_change import METHOD, MethodNumber
from tests.judgement.questions import questions
from tests.judgement.test_estimate_properties import arms, wild

SAID: dict[str, Any] = json.loads((Path(__file__).parent / "method_1.json").read_text("utf-8"))
"""What the first method said of these questions when it was the only one. It is never written anew."""


def alike(ours: Any, theirs: Any) -> bool:
    """The same but for the last digits of a number, which another library of linear algebra may round otherwise."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[name], one) for name, one in theirs.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    return bool(ours == (pytest.approx(theirs, rel=1e-9) if isinstance(theirs, float) else theirs))


def test_every_method_that_a_plan_may_name_is_there_and_new_plans_have_the_latest() -> None:
    assert METHODS.keys() == set(get_args(MethodNumber))
    assert max(METHODS) == METHOD


@pytest.mark.parametrize("name", SAID)
def test_a_plan_of_the_first_method_is_judged_as_it_was_when_it_was_signed(name: str) -> None:
    """All of it: whoever holds evidence against what was written down then finds nothing else, and no more fields."""
    verdict, change = judge_change(questions(1)[name])
    assert verdict.value == SAID[name]["verdict"]
    assert alike(change.model_dump(mode="json"), SAID[name]["change"])


@pytest.mark.parametrize("name", SAID)
def test_met_is_judged_alike_by_both_methods_and_whatever_is_not_met_by_the_first_is_by_the_second(name: str) -> None:
    (first, before), (second, now) = (judge_change(questions(method)[name]) for method in (1, 2))
    assert (before.method, now.method) == (1, 2)
    if second is not Verdict.NOT_MET:
        assert second is first
    if first is Verdict.NOT_MET:
        assert second is Verdict.NOT_MET
    if before.since == now.since:
        assert (now.estimate, now.error, now.freedom) == (before.estimate, before.error, before.freedom)
        assert now.interval[0] == before.interval[0] or now.interval[1] == before.interval[1]


def test_evidence_of_the_second_method_tells_by_which_error_a_pause_was_judged() -> None:
    _, change = judge_change(questions(2)["few, worse"])
    assert change.error is not None
    assert change.freedom is not None
    assert change.pause_error is not None
    assert change.pause_freedom is not None
    assert change.critical is not None
    assert change.estimate is not None
    assert change.pause_error >= change.error
    assert change.pause_freedom > change.freedom
    assert change.interval[1] == pytest.approx(change.estimate + change.critical * change.pause_error)
    passes = Schedule(30, 90, SQUARE).critical(0.05, change.error, change.freedom, 5.0)
    assert change.interval[0] == pytest.approx(change.estimate - passes * change.error)


def test_without_anybody_to_compare_with_nothing_is_lent() -> None:
    one = questions(2)["nobody beside"]
    _, change = judge_change(one)
    assert (change.pause_error, change.pause_freedom) == (change.error, change.freedom)


@pytest.mark.parametrize("kind", Kind)
def test_a_lent_error_is_never_less_than_the_own_and_the_change_is_the_same(kind: Kind) -> None:
    pair = looked_at(make(kind, PLAIN, 8, 40, 20, np.random.default_rng(3)), 0, LATEST)
    own, lent = estimates(2, form_of(kind), *pair)
    assert np.array_equal(lent.change, own.change, equal_nan=True)
    there = np.isfinite(own.error)
    assert there.mean() > 0.9
    assert (lent.error[there] >= own.error[there]).all()
    assert np.median(lent.freedom[there] / own.freedom[there]) > 1.5


def test_without_a_past_that_explains_anything_it_is_a_moderated_variance() -> None:
    """With partners who were all alike no slope is fitted, and equal sizes make the jackknife that of plain means."""
    chance = np.random.default_rng(11)
    before = [np.stack([np.full(size, 50.0), np.full(size, 100.0)], axis=-1) for size in (8, 12)]
    rates = [chance.normal(0.5, 0.1, size) for size in (8, 12)]
    after = [np.stack([100 * rate, np.full(len(rate), 100.0)], axis=-1) for rate in rates]
    found = estimates(2, Ratio(), *(Arm(*one) for one in zip(before, after, strict=True))).pausing
    own = [100**2 * rate.var(ddof=1) / len(rate) for rate in rates]
    share = LENT / (LENT + 7)
    mine, theirs = (1 - share) * own[0], share * 12 / 8 * own[1] + own[1]
    assert float(found.error) == pytest.approx(math.sqrt(max(mine + theirs, sum(own))))
    assert float(found.freedom) == pytest.approx((mine + theirs) ** 2 / (mine**2 / 7 + theirs**2 / 11))


def test_few_to_compare_with_lend_no_more_freedom_than_they_have() -> None:
    """Three others have two degrees: those are lent, not four."""
    before = [np.full((size, 2), 100.0) * [0.5, 1.0] for size in (9, 3)]
    rates = np.array([0.5, 0.52, 0.48, 0.51, 0.49, 0.5, 0.53, 0.47, 0.5]), np.array([0.4, 0.5, 0.6])
    after = [np.stack([100 * rate, np.full(len(rate), 100.0)], axis=-1) for rate in rates]
    found = estimates(2, Ratio(), *(Arm(*one) for one in zip(before, after, strict=True))).pausing
    own = [100**2 * rate.var(ddof=1) / len(rate) for rate in rates]
    share = 2 / (2 + 8)
    assert float(found.error) == pytest.approx(math.sqrt((1 - share) * own[0] + (share * 3 / 9 + 1) * own[1]))


def test_a_velocity_counts_by_the_deals_before() -> None:
    """Half of the pilot's deals are gone, which is what is judged: it is lent as much as if they were not."""
    chance = np.random.default_rng(5)

    def sums(partners: int, won: float, worth: Floats) -> Floats:
        return np.stack([won * worth, np.full(partners, won), np.full(partners, 40.0 * won)], axis=-1)

    worths = [chance.lognormal(0, 0.3, size) for size in (8, 12)]
    control = Arm(sums(12, 20.0, np.ones(12)), sums(12, 20.0, worths[1]))
    kept, lost = (
        estimates(2, LogVelocity(), Arm(sums(8, 20.0, np.ones(8)), sums(8, won, worths[0])), control).pausing
        for won in (20.0, 10.0)
    )
    assert float(kept.change - lost.change) == pytest.approx(math.log(2))
    assert float(lost.error) == pytest.approx(float(kept.error))

    def jackknife(worth: Floats) -> float:
        logs = np.array([math.log(np.delete(worth, at).mean()) for at in range(len(worth))])
        return float((len(worth) - 1) / len(worth) * ((logs - logs.mean()) ** 2).sum())

    own, share = [jackknife(one) for one in worths], LENT / (LENT + 7)
    moderated = (1 - share) * own[0] + (share * 12 / 8 + 1) * own[1]
    assert float(lost.error) == pytest.approx(math.sqrt(max(moderated, sum(own))))


def test_where_what_is_lent_is_no_number_the_own_error_stays() -> None:
    """A comparison of 1e307 times the pilot's size: no machine can say what that lends."""
    rates = np.array([0.5, 0.6, 0.55, 0.45, 0.4]), np.array([0.5, 0.4, 0.6, 0.45])
    pilot, control = (
        Arm(
            np.stack([size * rate[::-1], np.full(len(rate), size)], axis=-1),
            np.stack([size * rate, np.full(len(rate), size)], axis=-1),
        )
        for rate, size in zip(rates, (1e-154, 1e153), strict=True)
    )
    own, lent = estimates(2, Ratio(), pilot, control)
    assert np.isfinite(own.error)
    assert (lent.error, lent.freedom) == (own.error, own.freedom)


@pytest.mark.parametrize("form", [Ratio(), LogVelocity()])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_can_be_judged_by_the_first_method_can_be_by_the_second(form: Form, data: st.DataObject) -> None:
    """So that lending never turns a verdict into one without evidence; and nothing makes it crash."""
    sums = 2 if isinstance(form, Ratio) else 3
    pilot, control = (data.draw(arms(sums, of=wild, least=2)) for _ in range(2))
    own, lent = estimates(2, form, pilot, control)
    assert np.array_equal(own, estimate(form, pilot, control), equal_nan=True)
    if np.isfinite(own.error) and np.isfinite(own.freedom):
        assert np.isfinite(lent.error)
        assert lent.error >= own.error
        assert lent.freedom >= 1


@given(arms(), arms(), st.floats(0.01, 1000))
def test_neither_units_nor_order_matter_to_what_is_lent(pilot: Arm, control: Arm, unit: float) -> None:
    order = np.random.default_rng(1).permutation(len(pilot.before))
    other = Arm(pilot.before[order] * unit, pilot.after[order] * unit)
    own, one = estimates(2, Ratio(), pilot, control)
    _, two = estimates(2, Ratio(), other, Arm(control.before * unit, control.after * unit))
    if float(own.error) > 1e-6:
        assert float(two.error) == pytest.approx(float(one.error), rel=1e-4)
        assert float(two.freedom) == pytest.approx(float(one.freedom), rel=1e-3)


def test_plain_harm_is_seen_sooner_by_the_second_method() -> None:
    panel = make(Kind.SLA, PLAIN.harmed("harm", 5), 8, 40, 60, np.random.default_rng(8))
    first = [(one.argmax(axis=1) + 1)[one.any(axis=1)] for one in (ours(panel, 2).pauses, ours(panel, 1).pauses)]
    assert len(first[0]) >= len(first[1]) > 50
    assert np.median(first[0]) < np.median(first[1]) - 3
