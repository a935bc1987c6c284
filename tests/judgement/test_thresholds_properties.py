"""What holds of every verdict, whatever the reading: a pass has everything it needs, and protection fires."""

from __future__ import annotations

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from judgement.counting import counts_as
from models.evidence import Baseline, CohortReading, Look, Verdict
from models.metric import MetricName, MetricUse
from models.plan_metric import Basis, MetricPlan, MinimumSample, OnBreach, Threshold, Tolerance
from tests.judgement.readings import AS_OF, DAY, agreed, baseline, beyond, judged, reading

numbers = st.one_of(
    st.none(),
    st.floats(-200, 200),
    st.sampled_from([0.0, 85.0, 90.0, math.nan, math.inf, -math.inf]),
)
thresholds = st.builds(
    Threshold,
    at_least=st.booleans(),
    inclusive=st.booleans(),
    number=st.one_of(st.floats(-100, 120), st.sampled_from([0.0, 85.0, -5.0])),
    basis=st.sampled_from(Basis),
)


some = st.integers(0, 3)
tolerances = st.builds(
    Tolerance,
    in_a_row=some,
    in_all=st.none() | some,
    met_in_a_row=st.integers(1, 3),
    cannot_tell=st.none() | some,
    no_evidence_in_a_row=st.none() | some,
)


@st.composite
def readings(draw: st.DrawFn) -> CohortReading:
    age = draw(st.one_of(st.none(), st.timedeltas(-2 * DAY, 14 * DAY)))
    parts = draw(
        st.dictionaries(st.sampled_from(["critical_failed", "immature", "unbudgeted"]), st.sampled_from([0.0, 1.0]))
    )
    return reading(
        draw(numbers),
        draw(st.sampled_from(MetricName)),
        reason=draw(st.sampled_from([None, "no_data", "unbudgeted_spend"])),
        n_partners=draw(st.integers(0, 12)),
        n_facts=draw(st.integers(0, 120)),
        parts=parts,
        data_through=None if age is None else AS_OF - age,
    )


@st.composite
def plans(draw: st.DrawFn, metric: MetricName) -> MetricPlan:
    return agreed(metric=metric).model_copy(
        update={
            "thresholds": tuple(draw(st.lists(thresholds, min_size=1, max_size=3))),
            "use": draw(st.one_of(st.none(), st.sampled_from(MetricUse))),
            "freshness": draw(st.timedeltas(timedelta(hours=1), 10 * DAY)),
            "minimum_sample": MinimumSample(partners=draw(st.integers(1, 8)), facts=draw(st.integers(1, 80))),
            "tolerance": draw(tolerances),
        }
    )


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Look, ...]:
    ages = sorted(draw(st.lists(st.timedeltas(timedelta(minutes=1), 20 * DAY), max_size=8)), reverse=True)
    # What was beyond and tolerated is kept as *cannot tell*; what was red or silent counts for neither side.
    kinds = st.sampled_from([*((one, None) for one in Verdict), (Verdict.MET, False), (Verdict.CANNOT_TELL, True)])
    return tuple(Look(AS_OF - age, *draw(kinds)) for age in ages)


@st.composite
def cases(draw: st.DrawFn) -> tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]]:
    found = draw(readings())
    frozen = draw(st.one_of(st.none(), st.builds(baseline, numbers, st.just(found.metric))))
    return found, draw(plans(found.metric)), frozen, draw(pasts())


@given(cases())
def test_met_has_everything_it_needs(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]],
) -> None:
    found, plan, frozen, past = case
    item = judged(found, plan, frozen, past, one_look=DAY / 2)
    if item.verdict is not Verdict.MET:
        return
    assert item.value is not None
    assert math.isfinite(item.value)
    assert all(limit.satisfied(item.value, item.baseline) for limit in plan.thresholds)
    assert not plan.needs_baseline or item.baseline is not None
    assert found.data_through is not None
    assert timedelta(0) <= AS_OF - found.data_through <= plan.freshness
    assert found.group.n_partners >= plan.minimum_sample.partners
    assert found.group.n_facts >= plan.minimum_sample.facts
    assert not found.group.parts.get("critical_failed")
    assert not item.beyond_threshold
    assert not item.untrusted
    assert item.breaches.in_a_row == 0


@given(cases())
def test_current_data_beyond_a_guardrail_without_tolerance_are_not_met(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]],
) -> None:
    found, plan, frozen, past = case
    plan = plan.model_copy(update={"use": MetricUse.GUARDRAIL, "tolerance": Tolerance()})
    item = judged(found, plan, frozen, past)
    if item.beyond_threshold and item.data_current:
        assert (item.verdict is Verdict.NOT_MET) is not item.untrusted


@given(cases())
def test_not_met_is_a_breach_of_current_data(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]],
) -> None:
    item = judged(*case, one_look=DAY / 2)
    if item.verdict is Verdict.NOT_MET and not item.blind:
        assert item.data_current
        assert item.beyond_threshold
        assert counts_as(item) is True


@given(cases())
def test_blind_is_a_guardrail_of_which_nothing_could_be_said(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]],
) -> None:
    _, plan, _, _ = case
    item = judged(*case, one_look=DAY / 2)
    if item.blind:
        assert plan.purpose is MetricUse.GUARDRAIL
        assert plan.tolerance.watches_for_blindness
        assert item.by_itself in (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE)
        assert item.reasons[0].startswith("blind: ")
        assert item.on_breach is not OnBreach.STOP
        assert counts_as(item) is None


@given(cases())
def test_whoever_asks_again_gets_the_same_answer_and_every_answer_has_reasons(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]],
) -> None:
    item = judged(*case)
    assert item == judged(*case)
    assert item.reasons
    assert item.model_validate_json(item.model_dump_json()) == item


@given(cases(), st.timedeltas(timedelta(minutes=1), 30 * DAY))
def test_one_more_breach_in_the_past_excuses_nothing(
    case: tuple[CohortReading, MetricPlan, Baseline | None, tuple[Look, ...]], age: timedelta
) -> None:
    found, plan, frozen, past = case
    more = tuple(sorted((*past, beyond(AS_OF - age)), key=lambda look: look.at))
    item = judged(found, plan, frozen, past)
    # A breach is at least something that was seen.
    if item.verdict is Verdict.NOT_MET and not item.blind:
        assert judged(found, plan, frozen, more).verdict is Verdict.NOT_MET
