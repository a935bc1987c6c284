"""Verdicts that count looks: with a list of them, without one, with one that came late or says otherwise."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from audit.bundle import BundleError
from audit.exhibit import read_plan
from audit.judging import Anew, Bench, counts_looks
from audit.looks import ListedLook, looks_file, read_looks
from audit.standing import Standing
from models.evidence import Assessment, Verdict
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_metric import Tolerance
from tests.audit.insiders import INSIDE, assessments, body_of

SLA = MetricName.LEAD_FOLLOW_UP_SLA
SEEN = assessments(INSIDE)[1]
STATED = Assessment.model_validate_json(json.dumps(body_of(INSIDE, SEEN.evidence_digest or "")))
TWICE = Tolerance(met_in_a_row=2)


def plan_with(tolerance: Tolerance) -> RolloutPlan:
    """The example's plan with another tolerance for the SLA; its evidence says *met*."""
    plan = read_plan(INSIDE.plan)
    metrics = tuple(
        one.model_copy(update={"tolerance": tolerance}) if one.metric is SLA else one for one in plan.metrics
    )
    return plan.model_copy(update={"metrics": metrics})


def look(hours: float, verdict: Verdict) -> ListedLook:
    """A look so many hours before the assessment."""
    at = STATED.as_of - timedelta(hours=hours)
    beyond = {Verdict.MET: False, Verdict.NOT_MET: True}.get(verdict)
    return ListedLook(cohort="pilot", metric=SLA, as_of=at, verdict=verdict, beyond=beyond, snapshot="sha256:x")


def judged(stated: Verdict, tolerance: Tolerance, *listed: ListedLook, without: bool = False) -> Anew:
    """What comes of an assessment that says so of the SLA; `without` any list."""
    plan = plan_with(tolerance)
    standing = Standing(plan)
    for entry in INSIDE.entries()[: SEEN.sequence - 1]:
        standing.take(entry)
    items = tuple(
        one.model_copy(update={"verdict": stated, "looked": Verdict.MET if stated is not Verdict.MET else None})
        if one.metric is SLA
        else one
        for one in STATED.items
    )
    bench = Bench(INSIDE.files(), plan, None if without else listed)
    return bench.judge(STATED.model_copy(update={"items": items}), standing)


def test_a_verdict_that_counts_no_looks_is_borne_out_by_evidence_alone() -> None:
    found = judged(Verdict.MET, Tolerance(), look(24, Verdict.NOT_MET))
    assert (found.differs, found.unable, found.claimed) == ((), {}, ())


def test_met_often_enough_is_borne_out_with_the_looks_that_are_listed_and_said_to_be() -> None:
    found = judged(Verdict.MET, TWICE, look(24, Verdict.MET))
    assert (found.differs, found.unable, found.claimed) == ((), {}, ("lead_follow_up_sla of pilot",))


@pytest.mark.parametrize("listed", [(), (look(24, Verdict.NOT_MET),), (look(24, Verdict.NO_EVIDENCE),)])
def test_met_often_enough_by_looks_that_are_not_listed_or_said_otherwise_is_found(listed: tuple[ListedLook]) -> None:
    found = judged(Verdict.MET, TWICE, *listed)
    [off] = found.differs
    assert (off.whose, off.stated, off.ours) == ("lead_follow_up_sla of pilot", "met", "cannot tell")
    assert found.judged.items[[one.metric for one in STATED.items].index(SLA)].verdict is Verdict.CANNOT_TELL


def test_without_any_list_it_is_not_judged_where_some_looks_would_bear_it_out() -> None:
    found = judged(Verdict.MET, TWICE, without=True)
    assert found.unable == {
        "lead_follow_up_sla of pilot": "the looks before it, which it counts, are not in the bundle"
    }
    assert found.differs == ()


def test_without_any_list_it_is_found_where_no_looks_whatsoever_would_bear_it_out() -> None:
    assert judged(Verdict.NO_EVIDENCE, TWICE, without=True).differs != ()


def test_a_look_that_was_written_down_after_the_assessment_was_judged_accuses_nobody() -> None:
    """Less than half a cadence before it: what it says would stand for the look before."""
    found = judged(Verdict.MET, TWICE, look(20, Verdict.MET), look(11, Verdict.NOT_MET))
    assert (found.differs, found.claimed) == ((), ("lead_follow_up_sla of pilot",))
    early = judged(Verdict.MET, TWICE, look(36, Verdict.MET), look(13, Verdict.NOT_MET))
    assert early.differs != ()


@pytest.mark.parametrize(
    ("tolerance", "counts"),
    [
        (Tolerance(), False),
        (Tolerance(in_a_row=0, in_all=3), False),
        (Tolerance(in_a_row=1), True),
        (TWICE, True),
        (Tolerance(cannot_tell=0), True),
        (Tolerance(no_evidence_in_a_row=4), True),
    ],
)
def test_only_what_can_depend_on_looks_is_judged_with_others(tolerance: Tolerance, counts: bool) -> None:
    assert counts_looks(tolerance) is counts


def test_a_list_is_read_as_it_was_written_and_refused_in_any_other_form() -> None:
    looks = (look(24, Verdict.MET), look(12, Verdict.NO_EVIDENCE))
    content = looks_file(looks)
    assert read_looks(content) == looks
    first = content.splitlines(keepends=True)[0]
    for other, told in (
        (content.replace(b"{", b"{ ", 1), "line 1 is not written canonically"),
        (content + first, "line 3: two looks at one metric of one cohort as of one moment"),
        (content.replace(b'"met"', b'"fine"'), "line 1 is no look"),
        (content[:-20], "line 2 is no look"),
    ):
        with pytest.raises(BundleError, match=told):
            read_looks(other)
