"""What each value is made of: both sides of it, its parts with their meaning, what it rests on, and who moved it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.asking import look_at
from console.pages.render import page
from console.pages.rollout import unknown
from console.person import SignedIn
from console.signin import pool_of
from models.evidence import CohortReading, Contribution, MetricAssessment
from models.metric import CATALOGUE, MetricName, MetricSpec, Part
from store.views import Numbers, read_numbers

router = APIRouter(include_in_schema=False)


class Line(NamedTuple):
    """A part of the metric, and its number in each of the cohorts; None where it is not there."""

    part: Part
    numbers: tuple[float | None, ...]


class Mover(NamedTuple):
    """A partner who moved the value of a cohort since the baseline."""

    cohort: str
    by: Contribution


class Sheet(NamedTuple):
    """A metric in all cohorts that were measured, those who are not enrolled behind the others."""

    spec: MetricSpec
    readings: tuple[CohortReading, ...]
    lines: tuple[Line, ...]
    movers: tuple[Mover, ...]


@router.get("/rollouts/{name}/numbers")
async def numbers(request: Request, person: SignedIn, name: str) -> Response:
    """What the newest evidence of a rollout was reckoned from."""
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    found, items = Numbers(), look.assessment.items if look.assessment else ()
    if look.assessment is not None:
        async with pool_of(request).acquire() as conn:
            found = await read_numbers(conn, name, look.assessment.snapshot_digest)
    return page(request, "numbers.html", person, look=look, sheets=sheets(found, items))


def sheets(found: Numbers, items: Sequence[MetricAssessment]) -> tuple[Sheet, ...]:
    """The metrics in the order in which they were measured."""
    readings = (*found.readings, *found.beside)
    names = dict.fromkeys(one.metric for one in readings)
    return tuple(
        _sheet(name, [one for one in readings if one.metric is name], [one for one in items if one.metric is name])
        for name in names
    )


def _sheet(name: MetricName, readings: Sequence[CohortReading], items: Sequence[MetricAssessment]) -> Sheet:
    spec = CATALOGUE[name]
    lines = tuple(Line(part, tuple(one.group.parts.get(part.name) for one in readings)) for part in spec.parts)
    # What rounds to nothing has moved nothing.
    movers = tuple(Mover(it.cohort, one) for it in items for one in it.contributions if round(one.change, 2))
    return Sheet(spec, tuple(readings), lines, movers)
