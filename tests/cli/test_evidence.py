"""evidence: whom a verdict is compared with, who moved the number, and what the checks of the data found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from cli.evidence import _changes, _movers, _parts
from cli.output import Exit
from cli.tree import metric_line
from console.gateway import Gateway
from models.change import Boundary, Gate, GateFinding, MaterialChange
from models.evidence import Assessment, CohortReading, Contribution, GroupValue, MetricAssessment, Verdict, Window
from models.metric import CATALOGUE, MetricName, MetricUse, in_words
from models.plan_metric import OnBreach
from store.views import Numbers
from tests.cli.conftest import Rollout, Terminal, Told
from tests.plans import judged_by_change, make_plan
from tests.worker.process import patiently
from tests.workflows.simulator import Simulator

START = datetime(2026, 1, 5, tzinfo=UTC)


async def _kept(terminal: Terminal, rollout: Rollout) -> Told:
    """The evidence in JSON, once the rollout has some of its own."""

    async def look() -> Told | None:
        told = await terminal("evidence", rollout.name, "-o", "json")
        own = told.code == Exit.OK and any(one.get("comparison") for one in told.data["items"])
        return told if own else None

    kept = await patiently(look, lambda: "the rollout never judged anything itself")
    # The store has it first, and the rollout when it has read the answer.
    await rollout.at_rest()
    return kept


async def test_evidence_shows_the_comparison_the_movers_and_the_data(terminal: Terminal, rollout: Rollout) -> None:
    nothing = await terminal("evidence", rollout.name)
    assert nothing.code == Exit.BAD_INPUT
    assert f"The store has no assessment of {rollout.name}" in nothing.err

    await rollout.to_pilot()
    kept = await _kept(terminal, rollout)
    assert kept.document["kind"] == "evidence"
    digest = kept.data["digest"].removeprefix("sha256:")[:8]

    told = await terminal("evidence", rollout.name, "--digest", digest, "--all")
    assert told.code == Exit.OK
    first, *_ = told.out.splitlines()
    assert first.startswith(f"Evidence {digest} of {rollout.name} as of ")
    values = next(line for line in told.out.splitlines() if line.startswith("pilot   Partner contribution margin"))
    # Everybody sells at 30 % all the time, and so do those who are never enrolled.
    assert values.split()[4:] == ["met", "30.00", "30.00", "control", "(12)", "30.00", "30.00", "+0.00"]
    assert "Who moved it since the baseline" in told.out
    assert "Nobody: nothing has moved by as much as 0.01." in told.err
    assert all(len(one["contributions"]) == 5 for one in kept.data["items"])
    assert "completeness  green" in told.out

    quiet = await terminal("evidence", rollout.name)
    assert "No check is amber or red" in quiet.err
    assert "open_breach" not in quiet.out

    measured = {(one["cohort"], one["metric"]): one for one in kept.data["measured"]}
    assert set(measured) == {
        (c, m) for c in ("pilot", "control") for m in ("lead_follow_up_sla", "contribution_margin")
    }
    assert {cohort: one["beside"] for (cohort, _), one in measured.items()} == {"pilot": False, "control": True}
    sla, margin = measured["pilot", "lead_follow_up_sla"], measured["pilot", "contribution_margin"]
    # Every lead is contacted after 4 hours, and costs are 70 of every 100 sold.
    assert (sla["value"], sla["parts"]["met"], sla["parts"]["contact_hours_p90"]) == (100.0, sla["numerator"], 4.0)
    assert margin["parts"]["product_cost"] == pytest.approx(0.7 * margin["denominator"])
    assert (margin["definition_version"], margin["reason"], margin["n_partners"]) == (1, None, 12)
    assert all(one["data_through"] and one["window"]["end"] for one in measured.values())

    # The same of anybody who asks without the rollout: of the same partners, as of the same moment.
    pilot = [word for one in rollout.plan.cohorts.pilot.partners for word in ("--partner", one)]
    for held in (sla, margin):
        asked = ("metrics", "show", held["metric"], *pilot, "--as-of", kept.data["as_of"], "-o", "json")
        shown = (await terminal(*asked, "--from", held["window"]["start"])).data
        assert {field: shown[field] for field in held if field not in ("cohort", "beside")} == {
            field: value for field, value in held.items() if field not in ("cohort", "beside")
        }
        item = next(i for i in kept.data["items"] if (i["cohort"], i["metric"]) == ("pilot", held["metric"]))
        checks = {one["check"]: one["found"] for one in item["quality"] if one["check"] != "improvement"}
        # A new plan asks of costs as well, which this one does not.
        assert checks.items() <= {one["check"]: one["found"] for one in shown["checks"]}.items()

    parts = (await terminal("evidence", rollout.name, "--digest", digest, "--parts")).out
    assert "pilot: Lead follow-up SLA from " in parts
    assert f"  100.00 % = {CATALOGUE[MetricName.LEAD_FOLLOW_UP_SLA].formula}" in parts
    assert f"  numerator {sla['numerator']:.2f}, denominator {sla['denominator']:.2f}; 12 partners, " in parts
    for state in ("met", "late", "open_breach", "pending", "excluded_no_sla", "invalid"):
        assert any(line.startswith(f"{state} ") for line in parts.splitlines()), state
    assert "control: Partner contribution margin from " in parts


async def test_evidence_of_a_change_says_what_still_stands_in_its_way(terminal: Terminal, gateway: Gateway) -> None:
    """A pilot enrolled just now: nothing has matured, and nothing passes for that."""
    plan = make_plan(**judged_by_change(), id=f"plan-{uuid4().hex[:8]}")
    assert await gateway.start(plan, START, 1.0)
    rollout = Rollout(gateway, plan)
    await rollout.to_pilot()
    kept = await _kept(terminal, rollout)
    [sla] = [one for one in kept.data["items"] if one["metric"] == "lead_follow_up_sla"]
    assert (sla["verdict"], sla["by_change"]) == ("no evidence", "no evidence")
    assert (sla["change"]["method"], sla["change"]["gates"][0]["gate"]) == (2, "mature days")
    told = await terminal("evidence", plan.id)
    assert "Changes since the baseline against comparable partners" in told.out
    assert f"pilot: {sla['change']['sentence']}" in told.out
    assert "stands in the way: 0 days have matured, 7 are needed (mature days)" in told.out
    status = await terminal("get", plan.id)
    assert "no evidence: nothing can be said of a change of Lead follow-up SLA" in status.out


async def test_another_rollout_s_evidence_is_not_this_one_s(terminal: Terminal, rollout: Rollout) -> None:
    told = await terminal("evidence", "unheard-of", "--digest", "sha256:0000")
    assert told.code == Exit.BAD_INPUT
    assert "no assessment sha256:0000 of unheard-of" in told.err


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        (("50.00 %, agreed >= 20",), "⚠ in the warning band"),
        (
            ("data in doubt: 3 of 240 facts stand there twice: amber from 1", "50.00 %, agreed >= 20"),
            "⚠ data in doubt: 3 of 240 facts stand there twice: amber from 1",
        ),
        (
            ("93.20 %, agreed >= 90", "holds only by 3 leads met before their deadline: 84.44 of those past it"),
            "⚠ holds only by 3 leads met before their deadline: 84.44 of those past it",
        ),
    ],
)
def test_a_metric_that_is_met_on_doubtful_data_says_so_on_its_line(reasons: tuple[str, ...], shown: str) -> None:
    simulator = Simulator(make_plan())
    simulator.to_pilot()
    simulator.report(changed=True)
    assert simulator.state.assessment is not None
    item = simulator.state.assessment.items[0].model_copy(update={"warning": True, "reasons": reasons})
    assert metric_line(item).endswith(shown)


def assessed(**more: Any) -> MetricAssessment:
    fields = {
        "cohort": "pilot",
        "metric": MetricName.LEAD_FOLLOW_UP_SLA,
        "use": MetricUse.GUARDRAIL,
        "on_breach": OnBreach.PAUSE,
        "verdict": Verdict.NOT_MET,
        "reasons": ("beyond",),
        "value": 70.86,
        "thresholds": (">= 85",),
        "baseline": 94.44,
        "n_partners": 24,
        "n_facts": 374,
        "minimum_sample_reached": True,
        "data_current": True,
        "data_through": START,
        "data_age": timedelta(0),
    }
    return MetricAssessment(**{**fields, **more})


def evidence_of(*items: MetricAssessment) -> Assessment:
    return Assessment(evidence_id="a", digest="d", snapshot_digest="s", as_of=START, items=items)


def test_those_who_moved_a_number_are_shown_and_those_who_did_not_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    mover = Contribution(
        partner_id="P001", change=-1.262, own=-1.24, mix=-0.0004, then=97.96, now=72.22, facts=("lead L1", "lead L2")
    )
    still = mover.model_copy(update={"partner_id": "P002", "change": -0.0001})
    _movers(evidence_of(assessed(contributions=(mover, still))))
    *_, row = capsys.readouterr().out.splitlines()
    assert row.split(maxsplit=9)[5:] == ["-1.26", "-1.24", "+0.00", "97.96", "72.22  lead L1, lead L2"]
    assert "P001" in row


def test_the_four_parts_of_a_velocity_are_shown_with_what_they_are_and_one_that_is_not_there_without_a_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """4 deals x 75 % x 200 / 20 days = 30 a day."""
    four = {"opportunities": 4.0, "win_rate": 75.0, "average_won_value": 200.0, "mean_cycle_days": 20.0}
    group = GroupValue(value=30.0, numerator=600.0, denominator=20.0, n_partners=2, n_facts=4, parts=four)
    reading = CohortReading(
        cohort="pilot",
        metric=MetricName.PIPELINE_VELOCITY,
        window=Window(start=START - timedelta(days=90), end=START),
        group=group,
        data_through=START,
    )
    nothing = reading.model_copy(
        update={"cohort": "control", "data_through": None, "group": GroupValue(value=None, reason="no_closed_deals")}
    )
    _parts(Numbers(readings=(reading,), beside=(nothing,)))
    lines = capsys.readouterr().out.splitlines()
    assert (
        "  numerator 600.00, denominator 20.00; 2 partners, 4 facts; data reach to 2026-01-05 00:00; definition 1"
        in lines
    )
    shown = [line.split()[:2] for line in lines if line.split()[:1] and line.split()[0] in four]
    assert shown[:4] == [
        ["opportunities", "4.00"],
        ["win_rate", "75.00"],
        ["average_won_value", "200.00"],
        ["mean_cycle_days", "20.00"],
    ]
    assert [number for _, number in shown[4:]] == ["-"] * 4
    assert any(line.endswith("second of the four: won / (won + lost)") for line in lines)
    formula = CATALOGUE[MetricName.PIPELINE_VELOCITY].formula
    assert f"  no value: {in_words('no_closed_deals')}; it would be {formula}" in lines
    assert any("data reach to nowhere" in line for line in lines)


def test_a_snapshot_that_is_not_kept_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _parts(Numbers())
    assert "The store does not have what was measured." in capsys.readouterr().err


CHANGE = MaterialChange(
    method=1,
    sentence="Lead follow-up SLA is 6.1 points worse than in comparable partners; agreed margin 5.0: not met",
    unit="points",
    margin=5.0,
    estimate=-6.13,
    interval=(-10.04, -2.31),
    error=1.4,
    freedom=18.2,
    critical=2.731,
    boundary=Boundary.PLANNED,
    since=START,
    matured_through=START + timedelta(days=25),
    partners=24,
    compared=31,
    facts=374,
    top_partner="P007",
    top_share=12.4,
    gates=(GateFinding(gate=Gate.OUTLIERS, blocks=False, told="amounts of P009 are for a person to look at"),),
)


def test_a_judged_change_is_shown_with_all_that_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    _changes(evidence_of(assessed(change=CHANGE, by_change=Verdict.NOT_MET), assessed(cohort="wave-one")))
    head, columns, row, sentence, gate = capsys.readouterr().out.strip().splitlines()
    assert head == "Changes since the baseline against comparable partners, of matured days since enrolment"
    assert columns.split("  ")[0] == "cohort"
    cells = [cell.strip() for cell in row.split("  ") if cell.strip()]
    assert cells == [
        "pilot",
        "Lead follow-up SLA",
        "not met",
        "-6.13 points",
        "-10.04 to -2.31",
        "5.00",
        "2.73 errors, group sequential, over the planned looks",
        "24 against 31",
        "374",
        "P007 12.40 %",
        "2026-01-29",
        "1",
    ]
    assert sentence == f"pilot: {CHANGE.sentence}"
    assert gate == "  keeps it from being met: amounts of P009 are for a person to look at (outliers)"


def test_a_change_of_which_nothing_is_known_is_shown_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    shut = GateFinding(gate=Gate.MATURE, blocks=True, told="3 days have matured, 7 are needed")
    nothing = MaterialChange(method=1, sentence="nothing can be said", unit="points", gates=(shut,))
    _changes(evidence_of(assessed(change=nothing, by_change=Verdict.NO_EVIDENCE)))
    out = capsys.readouterr().out
    assert "no evidence  -  " in " ".join(out.split("\n"))
    assert "stands in the way: 3 days have matured, 7 are needed (mature days)" in out


def test_nothing_is_said_of_changes_where_none_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    _changes(evidence_of(assessed()))
    assert capsys.readouterr().out == ""


def test_a_change_that_is_met_says_so_on_its_line() -> None:
    agreed = ("no more than 5pp worse than in comparable partners",)
    met = assessed(verdict=Verdict.MET, by_change=Verdict.MET, reasons=("SLA is not different",), thresholds=agreed)
    assert metric_line(met).endswith(f"agreed {agreed[0]}  baseline 94.4  SLA is not different")
