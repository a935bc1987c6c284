"""Charts: well-formed, described in words, legible without colours, and honest about what is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.charts import NARROW, WIDE, Band, Chart, Limit, Mark, Size, draw, spark

SVG = "{http://www.w3.org/2000/svg}"
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def chart(*values: float | None, **more: object) -> Chart:
    fields: dict[str, object] = {
        "name": "c",
        "title": "SLA of pilot",
        "told": "3 readings",
        "points": [(FIRST + DAY * number, value) for number, value in enumerate(values)],
        "number": lambda value: f"{value:.1f}",
        "day": lambda at: f"{at:%d %b}",
    }
    return Chart(**(fields | more))  # type: ignore[arg-type]


def root(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own text


def of(tree: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [one for one in tree.iter() if kind in (one.get("class") or "").split()]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_chart_has_a_title_and_a_description_that_its_picture_names(size: Size) -> None:
    tree = root(draw(chart(90.0, 91.0), size))
    names = (tree.get("aria-labelledby") or "").split()
    told = {one.get("id"): one.text for one in tree.iter() if one.tag in (f"{SVG}title", f"{SVG}desc")}
    assert [told[name] for name in names] == ["SLA of pilot", "3 readings"]
    assert tree.get("role") == "img"


def test_each_kind_of_line_differs_by_its_dashes_and_says_what_it_is() -> None:
    drawn = draw(chart(90.0, 91.0, baseline=(88.0, "Baseline 88"), limits=[Limit(85.0, True, "Threshold 85")]))
    tree = root(drawn)
    dashes = [of(tree, kind)[0].get("stroke-dasharray") for kind in ("value", "baseline", "limit")]
    assert len(set(dashes)) == 3
    assert "Baseline 88" in drawn
    assert "Threshold 85" in drawn
    assert "style=" not in drawn, "the policy of the pages takes no inline style"


def test_the_side_beyond_a_limit_is_shaded_and_the_other_is_not() -> None:
    def shaded(at_least: bool) -> tuple[float, float, float]:
        tree = root(draw(chart(80.0, 100.0, limits=[Limit(90.0, at_least, "")])))
        (zone,), (line,) = of(tree, "beyond"), of(tree, "limit")
        top = float(zone.get("y") or 0)
        return top, top + float(zone.get("height") or 0), float(line.get("y1") or 0)

    top, bottom, level = shaded(at_least=True)
    assert top == pytest.approx(level, abs=0.2)
    assert bottom > level
    top, bottom, level = shaded(at_least=False)
    assert bottom == pytest.approx(level, abs=0.2)
    assert top < level


def test_where_nothing_was_known_no_line_pretends_that_something_was() -> None:
    tree = root(draw(chart(90.0, 91.0, None, 93.0, 94.0)))
    lines = [one for one in tree.iter(f"{SVG}polyline")]
    assert [len((one.get("points") or "").split()) for one in lines] == [2, 2]
    assert draw(chart(None, None)) == ""


def test_higher_values_are_drawn_higher_and_later_ones_further_right() -> None:
    tree = root(draw(chart(80.0, 85.0, 95.0)))
    (line,) = tree.iter(f"{SVG}polyline")
    points = [tuple(map(float, one.split(","))) for one in (line.get("points") or "").split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_an_interval_is_drawn_around_its_estimates_also_where_an_end_is_open() -> None:
    band = [Band(FIRST, -2.0, 2.0), Band(FIRST + DAY, None, 3.0)]
    tree = root(draw(chart(0.0, 1.0, band=band)))
    (area,) = of(tree, "band")
    assert len((area.get("points") or "").split()) == 4
    assert of(root(draw(chart(0.0, 1.0, band=[Band(FIRST, None, None)]))), "band") == []


def test_names_of_phases_do_not_run_into_each_other() -> None:
    marks = [Mark(FIRST, "Pilot phase"), Mark(FIRST + DAY / 10, "Validate"), Mark(FIRST + DAY * 9, "Scale")]
    drawn = draw(chart(*[90.0 + number for number in range(20)], marks=marks), WIDE)
    assert ("Pilot phase" in drawn, "Validate" in drawn, "Scale" in drawn) == (True, False, True)
    assert len(of(root(drawn), "mark")) == 3


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("values", [(0.5, 2.5), (27.5, 30.0), (332_333.0, 338_297.0), (-4e9, 4e9), (-0.5, 99.5)])
def test_numbers_on_the_axis_have_room_and_differ(values: tuple[float, ...], size: Size) -> None:
    labels = [one for one in root(draw(chart(*values), size)).iter(f"{SVG}text") if one.get("text-anchor") == "end"]
    told = [one.text or "" for one in labels if float(one.get("x") or 0) < size.left]
    assert len(set(told)) == len(told) > 1
    # A digit is a little more than half as wide as it is high.
    assert all(0.64 * size.font * len(one) <= size.left - 6 for one in told), told


numbers = st.floats(-1e12, 1e12, allow_nan=False)


@given(
    st.lists(st.one_of(st.none(), numbers), min_size=1, max_size=40),
    st.one_of(st.none(), numbers),
    st.lists(st.tuples(numbers, st.booleans()), max_size=3),
    st.text(max_size=30),
)
def test_whatever_is_drawn_is_well_formed_and_within_its_frame(
    values: list[float | None], baseline: float | None, limits: list[tuple[float, bool]], title: str
) -> None:
    for size in (WIDE, NARROW):
        drawn = draw(
            chart(
                *values,
                title=title,
                baseline=None if baseline is None else (baseline, title),
                limits=[Limit(number, side, title) for number, side in limits],
            ),
            size,
        )
        if not drawn:
            assert all(value is None for value in values)
            continue
        for one in root(drawn).iter():
            for name in ("y", "y1", "y2", "cy"):
                if one.get(name) is not None:
                    assert -1 <= float(one.get(name) or 0) <= size.high + 1
            for name in ("x1", "x2", "cx"):
                if one.get(name) is not None:
                    assert -1 <= float(one.get(name) or 0) <= size.wide + 1


def test_a_small_line_needs_two_values() -> None:
    assert spark("s", "SLA", [None, 1.0]) == ""
    assert "polyline" in spark("s", "SLA <b>", [1.0, None, 2.0])
    assert root(spark("s", "SLA <b>", [1.0, 1.0])).tag == f"{SVG}svg"
