"""What is read of metrics is what plain Python works out of the same facts, over small worlds and at any moment."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from fractions import Fraction
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from judgement.values import group_value
from models.evidence import PartnerReading, Window
from models.metric import MetricName
from store.metrics import read_metrics
from tests.store.plainly import stories
from tests.store.plainly.book import Book, Parts
from tests.store.plainly.compliance import compliance, compliance_of
from tests.store.plainly.margin import margin, margin_of
from tests.store.plainly.mdf import mdf, mdf_of
from tests.store.plainly.velocity import velocity, velocity_of
from tests.store.world import World

# Tens of worlds, each read at a dozen moments: half a minute, and several on a machine that has much to do.
pytestmark = pytest.mark.timeout(900)

FEW = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
ASKED = st.lists(stories.asked_at, min_size=3, max_size=3).map(lambda moments: list(product(stories.WINDOWS, moments)))

Asked = list[tuple[Window, datetime]]


class Plainly(NamedTuple):
    """How a metric is worked out by partner and of a group, and what is compared of each partner."""

    worked: Callable[[Book, Collection[str], Window, datetime], dict[str, Parts]]
    of_group: Callable[[Collection[Parts]], Fraction | None]
    names: tuple[str, ...]


async def told(world: World, book: Book) -> None:
    """Each fact as it was first known, and then what was said of it anew."""
    for table, name, versions in book:
        for number, version in enumerate(versions):
            row = {column: value for column, value in version.items() if column != "amended_at"}
            if number:
                await world.amend(table, name, version["amended_at"].isoformat(), **row)
            else:
                await world.add(table, source_id=name, **row)


def numbers(reading: PartnerReading | None, names: Collection[str]) -> dict[str, float]:
    """What is read; nothing is 0, as where no row is."""
    if reading is None:
        return dict.fromkeys(names, 0.0)
    sides = {name: getattr(reading, name) for name in ("numerator", "denominator", "facts")}
    return {name: float((sides | reading.parts).get(name) or 0) for name in names}


async def agree(world: World, metric: MetricName, book: Book, asked: Asked, plainly: Plainly) -> None:
    transaction = world.conn.transaction()
    await transaction.start()
    try:
        await told(world, book)
        for window, as_of in asked:
            found = await read_metrics(world.conn, metric, stories.GROUPS, window=window, as_of=as_of)
            for group, rows in zip(stories.GROUPS, found, strict=True):
                where = (window, as_of, group)
                plain = plainly.worked(book, group, window, as_of)
                readings = {row.partner_id: row for row in rows.rows}
                for partner in sorted({*plain, *readings}):
                    parts = {name: float(plain.get(partner, {}).get(name, 0)) for name in plainly.names}
                    read = numbers(readings.get(partner), plainly.names)
                    assert read == pytest.approx(parts, rel=1e-9, abs=1e-9), (partner, *where)
                expected = plainly.of_group(list(plain.values()))
                value = group_value(metric, rows.rows).value
                assert value == (None if expected is None else pytest.approx(float(expected), rel=1e-9)), where
    finally:
        await transaction.rollback()


MARGIN = (
    *("net_revenue", "product_cost", "freight_cost", "partner_payments", "support_cost", "mdf", "contribution"),
    *("returned", "influenced_revenue", "cost_lines", "missing_fx", "over_credited"),
    *("numerator", "denominator", "facts"),
)
VELOCITY = (
    *("opportunities", "won", "lost", "won_value", "cycle_days", "open", "unqualified", "cancelled", "duplicate"),
    *("influenced", "invalid", "missing_fx", "facts"),
)
COMPLIANCE = (
    *("weight_applicable", "weight_assessed", "weighted_result", "critical_failed", "critical_unassessed", "expired"),
    *("waived", "inconclusive", "not_assessed", "not_applicable", "assessed_in_window"),
    *("numerator", "denominator", "facts"),
)
MDF = (
    *("allocations", "allocation", "plan_to_date", "paid", "approved_unpaid", "reserved", "paid_in_window"),
    *("planned_in_window", "unbudgeted", "young_allocations", "young_committed", "overspent_allocations"),
    *("duplicate_invoices", "overpaid_claims", "late_claims", "missing_fx"),
    *("numerator", "denominator", "facts"),
)


@FEW
@given(book=stories.money(), asked=ASKED)
async def test_margin_is_what_is_worked_out_plainly(world: World, book: Book, asked: Asked) -> None:
    await agree(world, MetricName.CONTRIBUTION_MARGIN, book, asked, Plainly(margin, margin_of, MARGIN))


@FEW
@given(book=stories.deals(), asked=ASKED)
async def test_velocity_is_what_is_worked_out_plainly(world: World, book: Book, asked: Asked) -> None:
    await agree(world, MetricName.PIPELINE_VELOCITY, book, asked, Plainly(velocity, velocity_of, VELOCITY))


@FEW
@given(book=stories.checks(), asked=ASKED)
async def test_the_score_is_what_is_worked_out_plainly(world: World, book: Book, asked: Asked) -> None:
    await agree(world, MetricName.COMPLIANCE_SCORE, book, asked, Plainly(compliance, compliance_of, COMPLIANCE))


@FEW
@given(book=stories.funds(), asked=ASKED)
async def test_mdf_is_what_is_worked_out_plainly(world: World, book: Book, asked: Asked) -> None:
    await agree(world, MetricName.MDF_SPEND, book, asked, Plainly(mdf, mdf_of, MDF))
