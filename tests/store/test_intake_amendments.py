"""Importing a fact again that says something else: from when that is known, and what earlier reads see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.metric import MetricName
from store.metrics import read_metric
from store.pool import prepare_connection
from tests.store.desk import LEAD_HEADER, LEADS, NOON, SALE_HEADER, SALES, Desk, tally
from tests.store.world import window

LIVE_LEADS = LEADS.replace("known: {after: assigned_at, lag: 1h}\n", "")
NEXT, LAST = NOON + timedelta(days=1), NOON + timedelta(days=2)
JUST = timedelta(microseconds=1)
FEBRUARY = window("2025-02-01", "2025-03-01")


async def met(desk: Desk, as_of: datetime) -> tuple[float, float] | None:
    """Leads in time, and leads decided, as of a moment; None where no lead was known."""
    await prepare_connection(desk.conn)
    read = await read_metric(
        desk.conn, MetricName.LEAD_FOLLOW_UP_SLA, partner_ids=("p1",), window=FEBRUARY, as_of=as_of
    )
    return (read.rows[0].numerator or 0.0, read.rows[0].denominator or 0.0) if read.rows else None


def lead(due: str, contacted: str = "") -> str:
    return f"{LEAD_HEADER}a,p1,2025-02-01T10:00Z,{due},{contacted},,\n"


async def test_live_a_correction_counts_from_the_import_that_brought_it(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LIVE_LEADS, lead("2025-02-02T10:00Z", "2025-02-03T10:00Z"))
    corrected = lead("2025-02-04T10:00Z", "2025-02-03T10:00Z")
    assert tally(await desk.load(LIVE_LEADS, corrected, at=NEXT)) == (0, 1, 0, 0, 0)
    assert tally(await desk.load(LIVE_LEADS, corrected, at=LAST)) == (0, 0, 1, 0, 0)
    moments = (NOON - JUST, NOON, NEXT - JUST, NEXT, LAST)
    assert [await met(desk, moment) for moment in moments] == [None, (0, 1), (0, 1), (1, 1), (1, 1)]


async def test_live_a_contact_taken_back_was_there_until_then(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LIVE_LEADS, lead("2025-02-02T10:00Z", "2025-02-02T09:00Z"))
    await desk.load(LIVE_LEADS, lead("2025-02-02T10:00Z"), at=NEXT)
    await desk.load(LIVE_LEADS, lead("2025-02-02T10:00Z", "2025-02-02T08:00Z"), at=LAST)
    moments = (NEXT - JUST, NEXT, LAST - JUST, LAST)
    assert [await met(desk, moment) for moment in moments] == [(1, 1), (0, 1), (0, 1), (1, 1)]


async def test_history_that_was_loaded_wrongly_is_put_right_for_the_past_too(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, lead("2025-02-02T10:00Z", "2025-02-03T10:00Z"))
    await desk.load(LEADS, lead("2025-02-04T10:00Z", "2025-02-03T10:00Z"), at=LAST)
    # Assigned and known an hour later; contacted on the third, known an hour later, and in time all along.
    at_ten = datetime(2025, 2, 3, 10, tzinfo=UTC)
    assert [await met(desk, at_ten), await met(desk, at_ten + timedelta(hours=1))] == [(0, 0), (1, 1)]
    assert await desk.count("superseded.lead") == 0


async def test_history_first_and_then_live_keeps_what_history_said(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, lead("2025-02-02T10:00Z", "2025-02-03T10:00Z"))
    await desk.load(LIVE_LEADS, lead("2025-02-04T10:00Z", "2025-02-03T10:00Z"), at=NEXT)
    moments = (datetime(2025, 2, 10, tzinfo=UTC), NEXT - JUST, NEXT)
    assert [await met(desk, moment) for moment in moments] == [(0, 1), (0, 1), (1, 1)]


async def test_a_file_may_say_itself_when_each_version_became_known(desk: Desk) -> None:
    await desk.partners("p1", "p2")
    mapping = SALES.replace("  net_amount: Net\n", "  net_amount: Net\n  known_at: Known\n")
    for share, net, known in (("1", "100", "2025-01-02"), ("1", "80", "2025-01-10"), ("1", "90", "2025-01-20")):
        row = f"7;1;p1;{share};S;31.12.2024;{net};{known}T00:00Z\n"
        await desk.load(mapping, SALE_HEADER.replace("Net", "Net;Known") + row)
    seen = [
        await desk.conn.fetchval(
            "select net_amount from partner_transaction_as_of($1)", datetime(2025, 1, date, tzinfo=UTC)
        )
        for date in (1, 2, 9, 10, 19, 20)
    ]
    assert seen == [None, 100, 100, 80, 80, 90]


@pytest.mark.parametrize("mapping", [LEADS, LIVE_LEADS])
async def test_the_same_file_again_makes_no_version(desk: Desk, mapping: str) -> None:
    await desk.partners("p1")
    for moment in (NOON, NEXT):
        await desk.load(mapping, lead("2025-02-02T10:00Z"), at=moment)
    assert await desk.count("superseded.lead") == 0
    assert await desk.conn.fetchval("select amended_at from lead") is None


async def test_influence_does_not_use_up_the_credit_of_a_deal(desk: Desk) -> None:
    await desk.partners("p1", "p2", "p3")
    mapping = SALES.replace("  kind: {", "  attribution: Part\n  kind: {")
    header = SALE_HEADER.replace("Net", "Net;Part")
    rows = [f"7;1;{who};1;S;31.12.2024;10;{part}\n" for who, part in (("p1", "sourced"), ("p2", "influenced"))]
    assert tally(await desk.load(mapping, header + "".join(rows))) == (2, 0, 0, 0, 0)
    report = await desk.load(mapping, header + "7;1;p3;0,1;S;31.12.2024;10;sourced\n")
    assert report.first_reasons == ("line 2, Share: the shares of transaction '7-1' add up to 1.1; allowed: at most 1",)


DATED = """\
kind: partners
source_system: crm
fields: {source_id: Id, name: Name, tier: Tier, known_at: Known}
"""


async def dated(desk: Desk, tier: str, known: str, **how: Any) -> tuple[int, int, int, int, int]:
    return tally(await desk.load(DATED, f"Id,Name,Tier,Known\np1,One,{tier},{known}T00:00Z\n", **how))


async def tiers(desk: Desk) -> list[str]:
    moments = [datetime(2025, 1, day, tzinfo=UTC) for day in (5, 6, 7, 8)]
    return [await desk.conn.fetchval("select tier from partner_as_of($1)", moment) for moment in moments]


async def test_a_file_that_came_late_does_not_take_back_what_corrected_it(desk: Desk) -> None:
    """Gold on the fifth, silver from the seventh; then the files of the fifth and of the sixth come again."""
    assert await dated(desk, "gold", "2025-01-05") == (1, 0, 0, 0, 0)
    assert await dated(desk, "silver", "2025-01-07") == (0, 1, 0, 0, 0)
    stands = ["gold", "gold", "silver", "silver"]
    assert await dated(desk, "gold", "2025-01-05") == (0, 0, 1, 0, 0)
    assert await dated(desk, "gold", "2025-01-06") == (0, 0, 1, 0, 0)
    assert await tiers(desk) == stands
    assert await dated(desk, "bronze", "2025-01-06") == (0, 0, 0, 0, 1)
    assert desk.rejects()[0]["reject_reason"] == (
        "found '2025-01-06 00:00:00+00'; allowed: no earlier than '2025-01-07 00:00:00+00', when the fact as it stands"
        " became known"
    )
    assert await tiers(desk) == stands
    # What is newer still amends it.
    assert await dated(desk, "iron", "2025-01-08") == (0, 1, 0, 0, 0)
    assert await tiers(desk) == ["gold", "gold", "silver", "iron"]
