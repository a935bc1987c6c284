"""Where sources stand: how far they reach, when they are late, and what of them was not taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from models.quality import Severity
from store.intake import FactKind, IntakeRefused, ways
from store.intake.kinds import KINDS
from store.intake.reach import events_of
from store.intake.standing import FEEDS, Standing, bound_of, read_standing
from store.pool import prepare_connection
from tests.store.desk import LEAD_HEADER, LEADS, NOON, PARTNERS, Desk

LEAD = LEAD_HEADER + "a,p1,2025-02-22T12:00Z,,,,\n"
WEEK = timedelta(days=7)


async def standing(desk: Desk, now: datetime = NOON, bound: timedelta | None = None) -> dict[FactKind, Standing]:
    await prepare_connection(desk.conn)
    return {one.kind: one for one in await read_standing(desk.conn, now, bound)}


async def test_nothing_stands_where_nothing_ever_came(desk: Desk) -> None:
    assert await standing(desk) == {}


async def test_a_source_reaches_as_far_as_its_latest_event(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD)
    await desk.load(LEADS, LEAD_HEADER + "b,p1,2025-02-12T12:00Z,,,,\n")
    found = (await standing(desk))[FactKind.LEADS]
    assert (found.source, found.facts, found.imports) == ("crm", 2, 2)
    assert (found.through, found.lag) == (datetime(2025, 2, 22, 12, tzinfo=UTC), WEEK)
    assert (found.file_name, found.rejected, found.refused_why, found.event_at) == ("in.csv", 0, None, None)


async def test_a_source_is_late_beyond_its_bound_and_amber_from_half_of_it(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD)
    found = [(await standing(desk, bound=WEEK * share))[FactKind.LEADS] for share in (0.99, 1, 2, 2.01)]
    assert [one.severity for one in found] == [Severity.RED, Severity.AMBER, Severity.GREEN, Severity.GREEN]
    assert [one.late for one in found] == [True, False, False, False]
    assert (await standing(desk, bound=WEEK * 1.99))[FactKind.LEADS].severity is Severity.AMBER
    usual = (await standing(desk, NOON + timedelta(seconds=1)))[FactKind.LEADS]
    assert (usual.bound, usual.late) == (bound_of(FactKind.LEADS), True)


RATES = """\
kind: fx-rates
source_system: bank
fields: {source_id: Month, currency: {constant: EUR}, reporting_currency: {constant: USD}, month: Month, rate: Rate}
"""


async def test_what_comes_once_a_month_is_late_once_the_next_one_is(desk: Desk) -> None:
    """February's rate is all there is to know at its end; from the fourth week of March on March's is missing."""
    await desk.load(RATES, "Month,Rate\n2025-02,1.1\n")
    for now, late in (("2025-02-28", False), ("2025-03-24", False), ("2025-03-26", True)):
        found = (await standing(desk, datetime.fromisoformat(f"{now}T00:00Z")))[FactKind.FX_RATES]
        assert (found.through, found.late) == (datetime(2025, 2, 1, tzinfo=UTC), late), now


async def test_one_of_two_sources_that_stopped_is_late_by_itself(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD)
    await desk.load(LEADS.replace("crm", "portal"), LEAD_HEADER + "a,p1,2025-03-01T11:00Z,,,,\n")
    await prepare_connection(desk.conn)
    found = await read_standing(desk.conn, NOON + timedelta(hours=1))
    leads = {one.source: (one.late, one.lag) for one in found if one.kind is FactKind.LEADS}
    assert leads == {"crm": (True, WEEK + timedelta(hours=1)), "portal": (False, timedelta(hours=2))}


async def test_a_source_of_nothing_but_rejects_has_no_facts_and_is_late(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD_HEADER + "a,ghost,2025-02-22T12:00Z,,,,\n")
    found = (await standing(desk))[FactKind.LEADS]
    assert (found.facts, found.rejected, found.through, found.late) == (0, 1, None, True)
    await desk.load(LEADS, LEAD_HEADER)
    found = (await standing(desk))[FactKind.LEADS]
    assert (found.facts, found.rejected, found.through, found.late) == (0, 0, None, True)


async def test_a_kind_without_events_is_never_late(desk: Desk) -> None:
    await desk.load(PARTNERS, "Id,Name,Parent,Tier\np1,One,,\n")
    found = (await standing(desk, NOON + 9999 * WEEK, bound=WEEK))[FactKind.PARTNERS]
    assert (found.through, found.lag, found.bound, found.severity) == (None, None, None, Severity.GREEN)


async def test_a_source_whose_events_all_lie_ahead_is_late(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD.replace("2025", "2031"))
    found = (await standing(desk))[FactKind.LEADS]
    assert (found.through, found.late, found.severity) == (None, True, Severity.RED)


async def test_rejected_rows_and_a_refused_file_are_amber_until_a_good_file_comes(desk: Desk) -> None:
    await desk.partners("p1")
    now = datetime(2025, 2, 22, 13, tzinfo=UTC)
    await desk.load(LEADS, f"{LEAD}b,p1,noon,,,,\n", at=now)
    found = (await standing(desk, now))[FactKind.LEADS]
    assert (found.rejected, found.severity) == (1, Severity.AMBER)
    await desk.load(LEADS, LEAD, at=now)
    assert (await standing(desk, now))[FactKind.LEADS].severity is Severity.GREEN
    with pytest.raises(IntakeRefused):
        await desk.load(LEADS, f"{LEAD}b,p1,noon,,,,\n", strict=True, at=now)
    found = (await standing(desk, now))[FactKind.LEADS]
    assert (found.severity, found.facts, found.late) == (Severity.AMBER, 1, False)
    assert "1 bad row" in (found.refused_why or "")
    await desk.load(LEADS, LEAD, at=now)
    assert (await standing(desk, now))[FactKind.LEADS].refused_why is None


async def test_why_a_file_was_refused_is_one_line_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.partners("p1")
    with pytest.raises(IntakeRefused):
        await desk.load(LEADS, f"{LEAD}b,p1,noon,,,,\nc,p1,never,,,,\n", strict=True)
    bad = (await standing(desk))[FactKind.LEADS].refused_why or ""
    assert "2 bad rows" in bad
    assert "line 4" in bad

    async def fails(*_: object, **__: object) -> None:
        await desk.conn.execute("insert into partner (partner_id, name) values ('x', null)")

    monkeypatch.setattr(ways.Import, "bring", fails)
    with pytest.raises(asyncpg.PostgresError, match="DETAIL"):
        await desk.load(LEADS, LEAD)
    failed = (await standing(desk))[FactKind.LEADS].refused_why or ""
    assert failed.startswith("the database failed: null value in column")
    assert not any("\n" in told or "DETAIL" in told for told in (bad, failed))
    await desk.conn.execute("update intake_run set why = E'one\n  two' where why is not null")
    assert (await standing(desk))[FactKind.LEADS].refused_why == "one two"


async def test_late_sources_stand_first(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD)
    await prepare_connection(desk.conn)
    found = await read_standing(desk.conn, NOON, WEEK / 2)
    assert [one.kind for one in found] == [FactKind.LEADS, FactKind.PARTNERS]


async def test_facts_that_no_file_brought_are_seen_too(desk: Desk) -> None:
    """As the intake of events writes them."""
    await desk.partners("p1")
    await desk.conn.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, known_at)"
        " values ('hub', 'a', 'p1', '2025-02-20T10:00Z', '2025-02-20T10:00Z'),"
        " ('hub', 'b', 'p1', '2025-04-20T10:00Z', '2025-04-20T10:00Z')"
    )
    found = (await standing(desk))[FactKind.LEADS]
    assert (found.source, found.facts, found.imports, found.taken_at) == ("hub", 2, 0, None)
    assert found.through == datetime(2025, 2, 20, tzinfo=UTC)


def test_whatever_feeds_a_metric_has_events_and_a_bound() -> None:
    assert all(events_of(KINDS[kind]) for kind in FEEDS)
    assert all((bound_of(kind) or timedelta(0)) > timedelta(0) for kind in FEEDS)
