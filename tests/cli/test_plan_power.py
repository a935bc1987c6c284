"""plan power, validate --from-history and new --from-history, on a small made-up world in a real PostgreSQL."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import asyncpg
import pytest
import yaml

from cli.output import Exit
from cli.plan_told import warnings_of
from cli.planfile import load_plan
from deploy.embedded.postgres import EmbeddedPostgres
from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.power import MetricPower, PlanPower
from models.quality import FLOWS, Check
from store.pool import prepare_connection
from store.world import WorldSpec, generate_world
from store.world_spec import add_months
from tests.cli.conftest import Terminal, Told
from tests.plans import judged_by_change, make_plan, plan_data

TODAY = date(2026, 11, 26)
"""Not the real one: every day has another world, in which other numbers come out."""

FAST = ("--weeks", "12", "--runs", "200", "--clock-start", TODAY.isoformat())
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
async def dsn(postgres: EmbeddedPostgres, template_database: str) -> str:
    """A database with 72 partners, whose facts go on until next month."""
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database planning template {template_database}")
    found = postgres.dsn_for("planning")
    opened = await asyncpg.connect(found)
    await prepare_connection(opened)
    start = add_months(TODAY.replace(day=1), -6)
    await generate_world(opened, WorldSpec(seed=3, start=start, months=7, partners=72, deals=3, sales=3))
    await opened.close()
    await admin.close()
    return found


@pytest.fixture
def typed(tmp_path: Path, dsn: str) -> Terminal:
    """A terminal whose environment names that database."""
    return Terminal(tmp_path, tmp_path / "none", {"ROLLOUTS_DATABASE_DSN": dsn})


def _plan(folder: Path, name: str = "plan.yaml", **changes: Any) -> Path:
    """Two metrics: a limit that costs much, and a margin."""
    fields: dict[str, Any] = {
        "cohorts": {
            "pilot": {"name": "pilot", "select": {"region": ["emea"], "limit": 12}},
            "control": {"name": "control", "select": {"region": ["amer"], "limit": 20}},
            "waves": [{"name": "wave-last", "select": {"region": ["emea", "amer", "apac"]}, "bake": "14d"}],
        },
        "metrics": [
            {**plan_data()["metrics"][0], "thresholds": [">= 94"], "tolerance": {"in_a_row": 1}},
            {
                **plan_data()["metrics"][1],
                "metric": "compliance_score",
                "window": "90d",
                "thresholds": [],
                "change": {"margin": "8pp"},
            },
        ],
        "not_measured": [
            {"metric": name.value, "reason": "not in this test"}
            for name, spec in CATALOGUE.items()
            if spec.framework and name.value not in ("lead_follow_up_sla", "compliance_score")
        ],
        "phases": {**plan_data()["phases"], "baseline_window": "28d"},
    }
    file = folder / name
    file.write_text(yaml.safe_dump(plan_data(**{**fields, **changes}), allow_unicode=True), encoding="utf-8")
    return file


async def _power(typed: Terminal, *words: str) -> Told:
    return await typed("plan", "power", *words, *FAST, "-o", "json")


async def test_power_tells_of_every_metric_what_the_cohort_can_show_and_what_a_limit_costs(typed: Terminal) -> None:
    file, drawing = _plan(typed.folder), typed.folder / "power.svg"
    told = await _power(typed, str(file), "--svg", str(drawing))
    assert (told.code, told.document["kind"]) == (Exit.OK, "plan-power"), told.err
    assert "2 metrics, 12 weeks: 100 %" in told.err
    found = told.data
    assert (found["partners"], found["compared"], found["compared_with"]) == (12, 20, "control")
    # Pilot, validate and the wave.
    assert (found["days"], found["runs"], found["seed"]) == (51, 200, 1)
    sla, score = found["metrics"]
    assert (sla["nothing"], sla["weeks"]) == (None, 12)
    assert date.fromisoformat(sla["through"]) < TODAY - timedelta(days=4)
    assert 85 < sla["value"] < 100
    assert sla["rules"]["alarm"] == "pause"
    assert sla["rules"]["healthy"] > 0.1
    [limit] = sla["rules"]["limits"]
    assert limit["limit"] == ">= 94"
    assert float(limit["wider"].removeprefix(">= ")) < 94
    assert sla["change"]["detectable"] > 0
    assert sla["change"]["margin"] is None
    assert score["rules"] is None
    assert score["change"]["margin_value"] == 8
    assert len(score["change"]["curve"]["days"]) == len(score["change"]["curve"]["margin"])
    _drawn(drawing)
    again = await _power(typed, str(file))
    assert again.data["metrics"] == found["metrics"]


def _drawn(file: Path) -> None:
    """It can be read by people and by programs."""
    root = ElementTree.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Power of test-plan against days"
    assert "Compliance score: 12 partners see a harm of 8pp" in str(root.findtext(f"{SVG}desc"))
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert "days since the cohort was enrolled" in words
    assert "% of the rollouts" in words
    assert len(list(root.iter(f"{SVG}polyline"))) == 3


async def test_for_people_every_metric_is_a_line_that_says_what_it_costs(typed: Terminal) -> None:
    told = await typed("plan", "power", str(_plan(typed.folder)), *FAST)
    assert told.code == Exit.OK, told.err
    first, _, sla, score = told.out.splitlines()
    assert first.startswith("test-plan: pilot with 12 partners beside 20 of control, 51 days; 200 healthy rollouts")
    assert re.search(r"With 12 partners >= 94 would pause a healthy rollout in about \d+ of 10 cases \(", sla)
    assert "The smallest change that 12 partners beside 20 others show by the planned end is" in score


async def test_without_a_history_it_says_why_and_guesses_nothing(typed: Terminal, database: str) -> None:
    opened = await asyncpg.connect(database)
    empty = Terminal(typed.folder, typed.home, {"ROLLOUTS_DATABASE_DSN": database})
    nobody = await _power(empty, str(_plan(typed.folder)))
    assert (nobody.code, nobody.out) == (Exit.BAD_INPUT, "")
    assert nobody.err.startswith("The pilot pilot selects no active partner of the store.")
    checked = await empty("plan", "validate", str(_plan(typed.folder)), "--from-history", *FAST, "-o", "json")
    [[problem]] = [one["problems"] for one in checked.data]
    lines = _plan(typed.folder).read_text(encoding="utf-8").splitlines()
    assert (checked.code, problem["field"]) == (Exit.BAD_INPUT, "cohorts.pilot.select")
    assert "select:" in lines[problem["line"] - 1] + lines[problem["line"] - 2]
    assert problem["message"] == (
        f"found 0 partners for pilot as of {TODAY}; allowed: active partners, of whom none is known by then: "
        "import them first, or begin later"
    )
    await opened.execute(
        "insert into partner (partner_id, name, type, tier, region, active_from, source_system, source_id, known_at) "
        "select 'P' || n, 'P' || n, 'reseller', 'gold', 'emea', '2020-01-01', 'test', n, '2020-01-01Z' "
        "from generate_series(1, 9) n"
    )
    told = await _power(empty, str(_plan(typed.folder)))
    assert told.code == Exit.ERROR
    assert [one["nothing"] for one in told.data["metrics"]] == ["the store has no facts of it"] * 2
    warned = await empty("plan", "validate", str(_plan(typed.folder)), "--from-history", *FAST, "-o", "json")
    assert warned.code == Exit.OK
    [result] = warned.data
    # Of the nine the pilot takes up to twelve of emea, which leaves nobody to the wave; in amer there is nobody.
    assert [one["message"] for one in result["warnings"]] == [
        f"found 0 partners for control as of {TODAY}; allowed: what some of the 9 active partners known by then have: "
        "region emea",
        f"found 0 partners for wave-last as of {TODAY}: cohorts before it take all 9 that it selects; allowed: "
        "partners of no cohort before it",
        "nothing can be said of lead_follow_up_sla: the store has no facts of it",
        "nothing can be said of compliance_score: the store has no facts of it",
    ]
    new = await empty("plan", "new", "a-plan", "--from-history")
    assert new.code == Exit.BAD_INPUT
    assert "The store has 9 active partners" in new.err
    assert "12 at least are needed" in new.err
    # Twelve are enough: no sample asks for more partners than the smallest cohort has.
    await opened.execute(
        "insert into partner (partner_id, name, type, tier, region, active_from, source_system, source_id, known_at) "
        "select 'P' || n, 'P' || n, 'reseller', 'gold', 'emea', '2020-01-01', 'test', n, '2020-01-01Z' "
        "from generate_series(10, 12) n"
    )
    await opened.close()
    file = typed.folder / "a-plan.yaml"
    assert (await empty("plan", "new", "a-plan", "--from-history", "-o", str(file))).code == Exit.OK
    assert {one.minimum_sample.partners for one in load_plan(file).metrics} == {2}


async def test_what_cannot_be_done_is_said_before_anything_is_read(typed: Terminal, nowhere: Terminal) -> None:
    metrics = [plan_data()["metrics"][0]]
    rest = [
        {"metric": name.value, "reason": "not in this test"}
        for name, spec in CATALOGUE.items()
        if spec.framework and name.value != "lead_follow_up_sla"
    ]
    file, drawing = _plan(typed.folder, metrics=metrics, not_measured=rest), typed.folder / "power.svg"
    told = await _power(typed, str(file), "--svg", str(drawing))
    assert (told.code, told.out) == (Exit.BAD_INPUT, "")
    assert told.err == "No metric of the plan has a margin (`change`), so there is no power to draw.\n"
    assert not drawing.exists()
    for words in (("power", str(file)), ("validate", str(file), "--from-history")):
        unreachable = await nowhere("plan", *words)
        assert unreachable.code == Exit.UNAVAILABLE
        assert "No servers" in unreachable.err
    cohorts = yaml.safe_load(file.read_text(encoding="utf-8"))["cohorts"]
    cohorts["pilot"] = {"name": "unknown", "partners": [f"X{number}" for number in range(12)]}
    told = await _power(typed, str(_plan(typed.folder, cohorts=cohorts)))
    assert told.code == Exit.BAD_INPUT
    assert told.err.startswith("12 partners of unknown are not in the store: X0, X1, X10, X11, X2; ")


async def test_validate_warns_and_a_warning_is_no_problem(typed: Terminal) -> None:
    cohorts = yaml.safe_load(_plan(typed.folder).read_text(encoding="utf-8"))["cohorts"]
    cohorts["pilot"]["select"]["limit"] = 5
    file = _plan(typed.folder, cohorts=cohorts)
    told = await typed("plan", "validate", str(file), "--from-history", *FAST, "-o", "json")
    assert told.code == Exit.OK, told.err
    [result] = told.data
    assert (result["valid"], result["problems"]) == (True, [])
    warned = {one["field"]: one["message"] for one in result["warnings"]}
    assert "pilot has 5 partners; below 8 a verdict on a change is advisory only" in warned["cohorts.pilot"]
    priced = r"With 5 partners >= 94 would pause a healthy rollout in about \d+ of 10 cases"
    assert re.match(priced, warned["metrics.0.thresholds.0"])
    plain = await typed("plan", "validate", str(file), "-o", "json")
    assert (plain.code, plain.data[0]["warnings"]) == (Exit.OK, None)


async def test_a_plan_from_history_says_why_and_is_valid(typed: Terminal) -> None:
    file = typed.folder / "from-history.yaml"
    told = await typed("plan", "new", "from-history", "--from-history", *FAST, "-o", str(file))
    assert told.code == Exit.OK, told.err
    assert "metrics of the past: 100 %" in told.err
    plan, text = load_plan(file), file.read_text(encoding="utf-8")
    assert [one.metric for one in plan.metrics] == [name for name, spec in CATALOGUE.items() if spec.framework]
    assert any(one.change for one in plan.metrics)
    compared = {one.metric for one in plan.metrics if any(said.check is Check.COMPARED for said in one.data_quality)}
    assert compared == {one.metric for one in plan.metrics if one.change} & FLOWS
    assert plan.cohorts.control is not None
    pilot, control = set(plan.cohorts.pilot.partners), set(plan.cohorts.control.partners)
    assert (len(pilot), len(control), pilot & control) == (23, 23, set())
    assert re.search(r"# Drawn by lot among \d\d active partners", text)
    assert re.search(r"# \d+\.\d\d over 12 weeks, of 23 partners", text)
    assert re.search(r"# moved by at most \d+\.\d(pp|%) between quarters, \d{4}-\d\d to \d{4}-\d\d", text)
    assert re.search(r"change: \{margin: .+\} +# (usual|the smallest)", text)
    again = await typed("plan", "new", "from-history", "--from-history", *FAST, "-o", str(file))
    assert (again.code, "exists; --force writes over it" in again.err) == (Exit.BAD_INPUT, True)
    # What it suggests, it does not warn of.
    warned = await typed("plan", "validate", str(file), "--from-history", *FAST, "-o", "json")
    fields = [one["field"] for one in warned.data[0]["warnings"] if "cohorts.pilot" not in one["field"]]
    assert (warned.code, fields) == (Exit.OK, [])


def test_few_partners_on_either_side_are_warned_of_where_a_change_is_judged() -> None:
    def warned(plan: RolloutPlan, partners: int, compared: int) -> list[str]:
        found = PlanPower(
            plan=plan.id,
            digest=plan.digest,
            as_of=datetime(2026, 1, 1, tzinfo=UTC),
            cohort="pilot",
            partners=partners,
            compared_with="control",
            compared=compared,
            days=90,
            runs=200,
            seed=1,
            metrics=tuple(MetricPower(metric=one.metric, partners=partners, compared=compared) for one in plan.metrics),
        )
        return [str(one) for one in warnings_of(plan, found)]

    judged = make_plan(**judged_by_change())
    assert warned(judged, 8, 8) == []
    assert warned(judged, 7, 8) == [
        "cohorts.pilot: pilot has 7 partners; below 8 a verdict on a change is advisory only"
    ]
    assert warned(judged, 8, 7) == [
        "cohorts.control: control, to compare with, has 7 partners; below 8 a verdict on a change is advisory only"
    ]
    assert warned(make_plan(), 7, 7) == []
