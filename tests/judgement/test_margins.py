"""The margin that a look bears is the one that the judgement itself would have called met."""

from __future__ import annotations

import pytest
from scipy.special import stdtrit

from judgement.margins import borne
from judgement.material import judge_change
from models.change import MaterialChange
from models.evidence import Verdict
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin
from tests.judgement.test_material import SLA, asked


def verdict_with(rate: float, margin: float) -> tuple[Verdict, MaterialChange]:
    return judge_change(asked(rate, partners=80)._replace(rule=ChangeRule(margin=Margin(number=margin))))


@pytest.mark.parametrize("rate", [0.87, 0.88])
def test_a_cohort_that_got_worse_is_met_from_what_it_bore_on(rate: float) -> None:
    _, change = verdict_with(rate, 9)
    found = borne(SLA, change)
    assert found is not None
    assert change.error is not None
    assert change.freedom is not None
    assert change.estimate is not None
    assert -change.estimate > stdtrit(change.freedom, 0.8) * change.error
    assert verdict_with(rate, found + 0.01)[0] is Verdict.MET
    assert verdict_with(rate, found - 0.01)[0] is not Verdict.MET


def test_one_that_did_better_than_chance_bears_no_less_than_one_in_which_nothing_changed() -> None:
    """What is left of its interval after the luck: the reach of it, and what four of five healthy ones need beyond."""
    _, change = verdict_with(0.93, 9)
    assert change.estimate is not None
    assert change.error is not None
    assert change.freedom is not None
    assert change.interval[0] is not None
    assert change.estimate > 0
    reach = change.estimate - change.interval[0]
    assert borne(SLA, change) == pytest.approx(reach + stdtrit(change.freedom, 0.8) * change.error)


@pytest.mark.parametrize(("estimate", "low"), [(-20.0, -100.0), (-100.0, -100.0)])
def test_an_interval_that_reaches_down_to_nothing_at_all_has_no_end_there(estimate: float, low: float) -> None:
    """On the log scale it is endless; written in percent it ends at the loss of everything."""
    change = MaterialChange(
        method=1, sentence="", unit="%", estimate=estimate, error=9.0, freedom=1.0, interval=(low, 50.0)
    )
    assert borne(MetricName.PIPELINE_VELOCITY, change) is None


def test_what_was_not_reckoned_bears_nothing() -> None:
    assert borne(SLA, MaterialChange(method=1, sentence="", unit="points")) is None
