"""The calendars and the policy among the examples give the deadlines that a lead would have by them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import asyncpg
import pytest

from store.calendars import Assignment, deadlines_at_assignment
from store.intake import import_file, load_mapping
from store.intake.staging import Connection
from tests.real_data import ROOT

FACTS, MAPPINGS = ROOT / "examples" / "facts", ROOT / "examples" / "mappings" / "crm"


@pytest.fixture
async def office(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as borrowed:
        conn = cast(Connection, borrowed)
        await _import(conn)
        yield conn


async def _import(conn: Connection) -> None:
    for name in ("calendars", "lead-policies"):
        mapping = load_mapping(MAPPINGS / f"{name}.yaml")
        report = await import_file(conn, mapping.kind, FACTS / f"{name}.csv", mapping, strict=True)
        assert report.inserted == 3
    await conn.execute("""
        insert into partner (partner_id, name, calendar_id, source_system, source_id, known_at)
        select calendar_id, calendar_id, calendar_id, 'test', calendar_id, now() from business_calendar
    """)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("partner", "lead_class", "assigned", "due"),
    [
        # Thursday before Easter, 16:30 in Berlin: one of 16 hours that day. Friday and Monday are holidays, so eight
        # each on Tuesday and Wednesday are one too many: Wednesday at 16:30.
        ("berlin-office", "normal", "2026-04-02 14:30", "2026-04-08 14:30"),
        # Thursday, 16:00 in Boston: two hours, nine on Friday, and five on Monday. The shop is open on Saturdays, but
        # this one is the 4th of July, which Massachusetts keeps on no other day.
        ("boston-shop", "normal", "2026-07-02 20:00", "2026-07-06 18:00"),
        # The night in which clocks go forward is Saturday's, when the desk is closed: Friday night and Monday's.
        ("night-desk", "normal", "2026-03-27 20:00", "2026-03-31 04:00"),
        ("berlin-office", "hot", "2026-04-03 22:00", "2026-04-03 23:00"),  # of all time, holiday or not
        ("berlin-office", "newsletter", "2026-04-02 14:30", None),
    ],
)
async def test_deadlines_by_the_examples(
    office: Connection, partner: str, lead_class: str, assigned: str, due: str | None
) -> None:
    given = [Assignment(partner, lead_class, at(assigned))]
    (found,) = await deadlines_at_assignment(office, given, moment=datetime.now(UTC))
    assert found is not None
    assert found.policy_version == "2026"
    assert found.contact_due_at == (at(due) if due else None)
