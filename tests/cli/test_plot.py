"""The drawing of power against days: well-formed, within its frame, and readable without colours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from xml.etree import ElementTree

from cli.plot import power_plot
from models.metric import MetricName
from models.power import ChangePower, Curve, MetricPower, PlanPower

SVG = "{http://www.w3.org/2000/svg}"


def _power(*healthy: float, plan: str = "a-plan") -> PlanPower:
    days = tuple(range(12, 12 + len(healthy)))
    curve = Curve(days=days, margin=healthy, twice=(1.0,) * len(healthy), healthy=healthy)
    change = ChangePower(
        unit="pp", detectable=4.0, margin="5pp", margin_value=5.0, days_to_margin=14, false_pauses=0.01, curve=curve
    )
    metrics = (
        MetricPower(metric=MetricName.LEAD_FOLLOW_UP_SLA, partners=12, compared=20, change=change),
        MetricPower(metric=MetricName.COMPLIANCE_SCORE, partners=12, compared=20, nothing="no facts"),
    )
    return PlanPower(
        plan=plan,
        digest="sha256:0",
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        cohort="pilot",
        partners=12,
        compared_with="control",
        compared=20,
        days=51,
        runs=200,
        seed=1,
        metrics=metrics,
    )


def _root(found: PlanPower) -> ElementTree.Element:
    return ElementTree.fromstring(power_plot(found))  # noqa: S314 - our own text


def test_lines_differ_by_their_dashes_and_take_the_colour_of_their_surroundings() -> None:
    text = power_plot(_power(0.1, 0.5, 0.9))
    assert text.count("<polyline") == 3
    lines = [one.get("stroke-dasharray") for one in _root(_power(0.1, 0.5, 0.9)).iter(f"{SVG}polyline")]
    assert len(set(lines)) == 3
    assert 'stroke="currentColor"' in text
    assert "#" not in text


def test_lines_that_end_alike_are_told_apart_by_the_dashes_beside_their_names() -> None:
    root = _root(_power(0.9, 1.0))
    named = {}
    for at, one in enumerate(elements := list(root.iter())):
        if one.tag == f"{SVG}text" and str(one.text).endswith(": 100 %"):
            named[str(one.text).split(":")[0]] = (elements[at - 1].get("stroke-dasharray"), float(str(one.get("y"))))
    drawn = [one.get("stroke-dasharray") for one in root.iter(f"{SVG}polyline")]
    assert [dashes for dashes, _ in named.values()][::-1] == drawn
    assert named["worse by 2 x 5pp"][1] < named["worse by 5pp"][1] < named["healthy, not met"][1]


def test_the_numbers_stand_in_the_file() -> None:
    root = _root(_power(0.1, 0.5, 0.9))
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert "healthy, not met, day 12: 10.0 %" in titles
    assert "worse by 2 x 5pp, day 14: 100.0 %" in titles
    assert "12 partners see a harm of 5pp in 4 of 5 rollouts by day 14; 1.0 % of healthy ones" in str(
        root.findtext(f"{SVG}desc")
    )


def test_everything_lies_within_the_frame_and_labels_do_not_lie_on_each_other() -> None:
    root = _root(_power(0.98, 0.99, 1.0))
    wide, high = (float(one) for one in str(root.get("viewBox")).split()[2:])
    words = list(root.iter(f"{SVG}text"))
    assert all(0 <= float(str(one.get("x"))) <= wide and 0 <= float(str(one.get("y"))) <= high for one in words)
    labels = sorted(float(str(one.get("y"))) for one in words if str(one.text).endswith("100 %"))
    assert len(labels) == 3
    assert all(later - earlier >= 15 for earlier, later in pairwise(labels))


def test_what_somebody_wrote_steers_nothing() -> None:
    root = _root(_power(0.5, plan='<script>&"'))
    assert root.findtext(f"{SVG}title") == 'Power of <script>&" against days'
    assert list(root.iter(f"{SVG}script")) == []


def test_a_metric_of_which_nothing_can_be_said_is_not_drawn() -> None:
    nothing = _power(0.5).model_copy(update={"metrics": _power(0.5).metrics[1:]})
    root = _root(nothing)
    assert list(root.iter(f"{SVG}polyline")) == []
    assert "Of no metric" in str(root.findtext(f"{SVG}desc"))


def test_a_single_day_is_a_point() -> None:
    found = _power(0.5)
    assert date(2026, 1, 1) == found.as_of.date()
    assert len(list(_root(found).iter(f"{SVG}circle"))) == 3
