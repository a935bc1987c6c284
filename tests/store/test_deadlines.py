"""Deadlines are reckoned once, at assignment, by the policy and calendar of that time, and pauses move them."""

from __future__ import annotations

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from models.evidence import Window
from models.metric import MetricName
from store.intake import import_file, parse_mapping
from store.intake.staging import Connection
from store.metrics import read_metric
from tests.store.desk import NOON, Desk, tally
from tests.store.world import World

CALENDARS = """\
kind: calendars
source_system: hr
fields: {source_id: Id, time_zone: Zone, public_holidays: Public, monday: Mon, tuesday: Mon, wednesday: Mon,
         thursday: Mon, friday: Mon}
"""
HOLIDAYS = """\
kind: holidays
source_system: hr
fields: {source_id: {template: "{Cal}/{Day}"}, calendar_id: Cal, day: Day, closed: Closed}
"""
POLICIES = """\
kind: lead-policies
source_system: ops
fields:
  source_id: {template: "{Version}/{Class}"}
  policy_version: Version
  class: Class
  effective_from: From
  accept_within: Accept
  contact_within: Contact
  contact_counts: Counts
  pauses: Pauses
  pause_limit: Limit
"""
PARTNERS = """\
kind: partners
source_system: crm
fields: {source_id: Id, name: Id, calendar_id: Calendar}
"""
LEADS = """\
kind: leads
source_system: crm
fields: {source_id: Id, partner_id: Partner, class: Class, assigned_at: At, policy_version: Version,
         contact_due_at: Due, first_contact_at: Called}
"""
PAUSES = """\
kind: lead-pauses
source_system: crm
fields: {source_id: Id, lead_id: Lead, paused_at: From, resumed_at: Until, reason: Why}
"""
HEADERS = {
    CALENDARS: "Id,Zone,Public,Mon\n",
    HOLIDAYS: "Cal,Day,Closed\n",
    POLICIES: "Version,Class,From,Accept,Contact,Counts,Pauses,Limit\n",
    PARTNERS: "Id,Calendar\n",
    LEADS: "Id,Partner,Class,At,Version,Due,Called\n",
    PAUSES: "Id,Lead,From,Until,Why\n",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Office:
    """Berlin office hours, one policy and two partners, all known on 1 March 2025 at noon, a Saturday."""

    def __init__(self, conn: Connection, folder: Path) -> None:
        self.conn = conn
        self.rejects = folder / "in.rejects.csv"
        self._file = folder / "in.csv"

    async def load(self, mapping: str, *rows: str, moment: datetime = NOON) -> tuple[int, int, int, int, int]:
        self._file.write_text(HEADERS[mapping] + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        made = parse_mapping(mapping)
        return tally(await import_file(self.conn, made.kind, self._file, made, imported_at=moment))

    async def due(self, lead: str = "a", as_of: datetime = datetime(2100, 1, 1, tzinfo=UTC)) -> datetime | None:
        found: datetime | None = await self.conn.fetchval(
            "select contact_due_at from lead_as_of($2) where source_id = $1", lead, as_of
        )
        return found

    def rejected(self) -> dict[str, str]:
        with self.rejects.open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        return row


@pytest.fixture
async def office(world: World, tmp_path: Path) -> Office:
    return await begin(Office(cast(Connection, world.conn), tmp_path))


async def begin(made: Office) -> Office:
    await made.load(CALENDARS, "berlin,Europe/Berlin,DE-BE,09:00-17:00")
    await made.load(POLICIES, "2025,*,2025-01-01,240,960,business,waiting_for_customer,480")
    await made.load(PARTNERS, "p1,berlin", "p2,")
    return made


async def test_a_lead_without_deadlines_gets_those_of_the_policy_in_the_partners_hours(office: Office) -> None:
    # Friday 28 February 2025, 15:00 in Berlin (14:00 UTC): 2 of 16 hours that day, 8 on Monday, 6 on Tuesday.
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,", "b,p2,hot,2025-02-28T14:00Z,,,")
    assert await office.due("a") == at("2025-03-04 14:00")
    assert await office.due("b") == at("2025-03-01 06:00")  # round the clock
    row = await office.conn.fetchrow("select policy_version, accept_due_at from lead where source_id = 'a'")
    # 4 hours: 2 that day, 2 on Monday.
    assert row
    assert (row[0], row[1]) == ("2025", at("2025-03-03 10:00"))


async def test_a_lead_that_comes_after_hours_starts_at_the_next_opening(office: Office) -> None:
    await office.load(POLICIES, "2025,hot,2025-01-01,,60,business,,", moment=NOON)
    await office.load(LEADS, "a,p1,hot,2025-03-01T03:00Z,,,", "b,p1,hot,2025-03-03T08:00Z,,,")
    # Saturday night and Monday at nine are the same: Monday, 10:00 in Berlin.
    assert await office.due("a") == await office.due("b") == at("2025-03-03 09:00")


async def test_public_holidays_are_closed_unless_the_calendar_opens_them_and_stored_for_good(office: Office) -> None:
    await office.load(POLICIES, "2025,hot,2025-01-01,,480,business,,")
    await office.load(LEADS, "a,p1,hot,2025-03-07T08:00Z,,,", "b,p1,hot,2025-03-07T09:00Z,,,")
    # 8 March 2025, a holiday in Berlin only, is a Saturday; of the two leads the second runs over into Monday.
    assert [await office.due(one) for one in "ab"] == [at("2025-03-07 16:00"), at("2025-03-10 09:00")]
    await office.load(LEADS, "c,p1,hot,2025-04-17T14:00Z,,,")
    # Good Friday and Easter Monday: from Thursday 16:00 (two hours were summer time's) on to Tuesday 16:00.
    assert await office.due("c") == at("2025-04-22 14:00")
    await office.load(HOLIDAYS, "berlin,2025-04-18,false", "berlin,2025-04-22,true")
    await office.load(LEADS, "d,p1,hot,2025-04-17T14:00Z,,,")
    assert await office.due("d") == at("2025-04-18 14:00")  # Good Friday is worked
    stored = await office.conn.fetch("select region, year, library_version from public_holiday_year order by year")
    assert [tuple(row)[:2] for row in stored] == [("DE-BE", 2025)]
    assert all(row["library_version"] for row in stored)
    # What the library says later, or somebody writes over it, changes no deadline.
    await office.conn.execute("delete from public_holiday")
    assert (await office.load(LEADS, "c,p1,hot,2025-04-17T14:00Z,,,"))[2] == 1
    assert await office.due("c") == at("2025-04-22 14:00")


async def test_a_later_calendar_or_policy_moves_no_deadline(office: Office) -> None:
    lead = "a,p1,hot,2025-02-28T14:00Z,,,"
    await office.load(LEADS, lead)
    later = NOON + timedelta(days=1)
    await office.load(CALENDARS, "berlin,Europe/Berlin,DE-BE,12:00-13:00", moment=later)
    await office.load(POLICIES, "2025,*,2025-01-01,1,1,elapsed,,", moment=later)
    assert (await office.load(LEADS, lead, moment=later)) == (0, 0, 1, 0, 0)
    assert await office.due() == at("2025-03-04 14:00")
    # Contacted: the row says something new, and its deadline is still the old one.
    assert (await office.load(LEADS, f"{lead}2025-03-03T10:00Z", moment=later)) == (0, 1, 0, 0, 0)
    assert await office.due() == at("2025-03-04 14:00")
    # Another lead goes by what is known now, and the first one too, once it turns out to be another assignment.
    await office.load(LEADS, "b,p1,hot,2025-02-28T14:00Z,,,", "a,p1,cold,2025-02-28T14:00Z,,,", moment=later)
    assert [await office.due(one) for one in "ab"] == [at("2025-02-28 14:01")] * 2
    assert await office.due("a", as_of=later - timedelta(seconds=1)) == at("2025-03-04 14:00")


async def test_deadlines_of_the_source_are_its_own(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,2025-03-01T00:00Z,")
    assert await office.due() == at("2025-03-01 00:00")
    await office.load(PAUSES, "1,a,2025-02-28T15:00Z,,waiting_for_customer")
    assert await office.due() == at("2025-03-01 00:00")
    # Reckoned first, given by the source later: pauses move it no more.
    await office.load(LEADS, "b,p1,hot,2025-02-28T14:00Z,,,")
    await office.load(LEADS, "b,p1,hot,2025-02-28T14:00Z,,2025-03-10T00:00Z,", moment=NOON + timedelta(hours=1))
    await office.load(PAUSES, "2,b,2025-02-28T15:00Z,,waiting_for_customer", moment=NOON + timedelta(hours=2))
    assert await office.due("b") == at("2025-03-10 00:00")


async def test_the_policy_in_force_on_the_day_decides_unless_the_lead_names_one(office: Office) -> None:
    await office.load(
        POLICIES, "2026,hot,2026-01-01,,30,elapsed,,", "2026,*,2026-01-01,,60,elapsed,,", "2026,junk,2026-01-01,,,,,"
    )
    rows = ["a,p2,hot,2025-12-31T23:59Z,,,", "b,p2,hot,2026-01-01T00:00Z,,,", "c,p2,cold,2026-01-01T00:00Z,,,"]
    rows += ["d,p2,junk,2026-01-01T00:00Z,,,", "e,p2,hot,2026-01-01T00:00Z,2025,,", "f,p2,hot,2024-12-31T00:00Z,,,"]
    await office.load(LEADS, *rows)
    found = await office.conn.fetch("select policy_version, contact_due_at from lead order by source_id")
    assert [tuple(row) for row in found] == [
        ("2025", at("2026-01-01 15:59")),  # 16 hours of business, round the clock
        ("2026", at("2026-01-01 00:30")),
        ("2026", at("2026-01-01 01:00")),
        ("2026", None),  # no SLA for this class
        ("2025", at("2026-01-01 16:00")),
        (None, None),  # before any policy
    ]


async def test_a_pause_moves_the_deadline_by_the_hours_it_took_from_when_it_is_known(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,")
    paused, resumed = NOON + timedelta(days=2), NOON + timedelta(days=3)
    # Paused on Monday at ten, Berlin time, for nobody knows how long: the limit of eight hours counts at once.
    await office.load(PAUSES, "1,a,2025-03-03T09:00Z,,waiting_for_customer", moment=paused)
    assert await office.due() == at("2025-03-05 14:00")
    # It was three hours.
    await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer", moment=resumed)
    assert await office.due() == at("2025-03-05 09:00")
    just = timedelta(microseconds=1)
    seen = [await office.due(as_of=moment) for moment in (paused - just, paused, resumed - just, resumed)]
    assert seen == [at(f"2025-03-{text}") for text in ("04 14:00", "05 14:00", "05 14:00", "05 09:00")]
    assert (await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer")) == (
        0,
        0,
        1,
        0,
        0,
    )
    assert await office.conn.fetchval("select count(*) from superseded.lead") == 2


async def test_a_pause_moves_by_the_calendar_of_the_assignment(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,")
    later = NOON + timedelta(days=3)
    await office.load(CALENDARS, "berlin,Europe/Berlin,DE-BE,12:00-13:00", moment=later)
    await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer", moment=later)
    assert await office.due() == at("2025-03-05 09:00")


async def test_a_pause_that_was_another_leads_after_all_is_given_back(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,", "b,p1,hot,2025-02-28T14:00Z,,,")
    await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer")
    later = NOON + timedelta(days=3)
    await office.load(PAUSES, "1,b,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer", moment=later)
    assert [await office.due(one) for one in "ab"] == [at("2025-03-04 14:00"), at("2025-03-05 09:00")]
    assert await office.due("a", later - timedelta(microseconds=1)) == at("2025-03-05 09:00")


@pytest.mark.parametrize(
    ("row", "due"),
    [
        ("1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,on_holiday", "2025-03-04 14:00"),  # nobody agreed to that
        ("1,a,2025-03-01T09:00Z,2025-03-02T12:00Z,waiting_for_customer", "2025-03-04 14:00"),  # closed anyway
        ("1,a,2025-03-04T14:00Z,,waiting_for_customer", "2025-03-04 14:00"),  # too late: it was due
        ("1,a,2025-02-01T09:00Z,2025-02-28T15:00Z,waiting_for_customer", "2025-03-04 15:00"),  # one hour of it
        ("1,a,2025-03-03T08:00Z,2025-03-10T08:00Z,waiting_for_customer", "2025-03-05 14:00"),  # no more than 8 hours
    ],
)
async def test_what_a_pause_does_not_move(office: Office, row: str, due: str) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,")
    await office.load(PAUSES, row)
    assert await office.due() == at(due)


async def test_pauses_that_overlap_count_once_and_all_together_to_the_limit(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,")
    hours = ["2025-03-03T09:00Z,2025-03-03T11:00Z", "2025-03-03T10:00Z,2025-03-03T12:00Z"]
    await office.load(PAUSES, *(f"{n},a,{one},waiting_for_customer" for n, one in enumerate(hours)))
    assert await office.due() == at("2025-03-05 09:00")  # three hours
    await office.load(PAUSES, "2,a,2025-03-04T08:00Z,,waiting_for_customer", moment=NOON + timedelta(days=4))
    assert await office.due() == at("2025-03-05 14:00")  # five more, and no more


async def test_a_pause_known_before_the_leads_correction_stays_in_it(office: Office) -> None:
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,")
    await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer")
    # Assigned an hour earlier after all: three hours that day, 8 on Monday less 3, and 8 on Tuesday.
    await office.load(LEADS, "a,p1,hot,2025-02-28T13:00Z,,,", moment=NOON + timedelta(days=1))
    assert await office.due() == at("2025-03-04 16:00")


async def test_time_to_contact_is_kept_by_both_clocks(office: Office) -> None:
    await office.load(
        LEADS, "a,p1,hot,2025-02-28T14:00Z,,,2025-03-03T10:00Z", "b,p2,hot,2025-02-28T14:00Z,,,2025-03-03T10:00Z"
    )
    await office.load(PAUSES, "1,a,2025-03-03T08:30Z,2025-03-03T09:00Z,waiting_for_customer")
    rows = await office.conn.fetch(
        "select source_id, elapsed_minutes, business_minutes from lead_contact_time order by stands_since"
    )
    # From Friday 14:00 to Monday 10:00 UTC; two hours on Friday and two on Monday, less half an hour of pause.
    assert [tuple(row) for row in rows] == [("a", 68 * 60, 4 * 60), ("a", 68 * 60, 4 * 60 - 30)]


async def test_business_time_to_contact_leaves_out_weekends_holidays_and_pauses_as_known_at_the_moment(
    office: Office,
) -> None:
    """Women's Day, 8 March, is a holiday in Berlin; in 2024 a Friday. Office hours are 9 to 17, an hour ahead of UTC.

    Assigned on Thursday 7 March 2024 at 15:00 there (14:00 UTC), contacted
    a: that Thursday at 16:00: 1 hour by either clock;
    b: on Monday at 10:00: 2 hours on Thursday and 1 on Monday, 3; elapsed 9 of Thursday, 3 days, 10 of Monday, 91;
    c: on Tuesday at 12:00: 2 on Thursday, 8 on Monday, 3 on Tuesday, 13; elapsed 117;
    d: by a partner who has no calendar, on Monday at 10:00: no business time; elapsed 91.
    """
    contacts = ("07T15:00", "11T09:00", "12T11:00")
    rows = [
        f"{name},p1,hot,2024-03-07T14:00Z,,,2024-03-{contact}Z" for name, contact in zip("abc", contacts, strict=True)
    ]
    await office.load(POLICIES, "2024,*,2024-01-01,240,960,business,waiting_for_customer,480")
    await office.load(LEADS, *rows, "d,p2,hot,2024-03-07T14:00Z,,,2024-03-11T09:00Z")

    async def parts(moment: datetime = NOON) -> list[float]:
        read = await read_metric(
            office.conn,
            MetricName.LEAD_FOLLOW_UP_SLA,
            partner_ids=["p1", "p2"],
            window=Window(start=at("2024-03-01"), end=at("2024-04-01")),
            as_of=moment,
        )
        (found, other) = [row.parts for row in read.rows]
        names = [name for name in found if name.startswith("contact_")]
        assert names == [
            *("contact_hours_median", "contact_hours_p90"),
            *("contact_business_hours_median", "contact_business_hours_p90"),
        ]
        assert [other[name] for name in names] == [found[name] for name in names]
        return [found[name] for name in names]

    # Of 1, 91, 91, 117 the median is 91, the ninth decile 0.7 of the way from 91 to 117: 109.2.
    # Of 1, 3, 13 the median is 3, the ninth decile 0.8 of the way from 3 to 13: 11.
    assert await parts() == pytest.approx([91, 109.2, 3, 11])
    # Learnt a day later, the clock of c stood still on Monday from 10 to 14: 9 hours, and the ninth decile is 7.8.
    told = NOON + timedelta(days=1)
    await office.load(PAUSES, "1,c,2024-03-11T09:00Z,2024-03-11T13:00Z,waiting_for_customer", moment=told)
    assert await parts(told) == pytest.approx([91, 109.2, 3, 7.8])
    assert await parts(told - timedelta(microseconds=1)) == pytest.approx([91, 109.2, 3, 11])
    # The same file again says nothing new.
    await office.load(
        PAUSES, "1,c,2024-03-11T09:00Z,2024-03-11T13:00Z,waiting_for_customer", moment=NOON + 2 * (told - NOON)
    )
    assert await office.conn.fetchval("select count(*) from lead_contact_time") == 4


async def test_a_contact_of_a_lead_that_was_another_partners_is_timed_by_that_partners_calendar(office: Office) -> None:
    await office.load(CALENDARS, "london,Europe/London,,13:00-14:00")
    await office.load(PARTNERS, "p3,london")
    row = "hot,2025-02-28T14:00Z,,2025-03-10T09:00Z,2025-03-03T15:00Z"
    await office.load(LEADS, f"a,p1,{row}")
    await office.load(LEADS, f"a,p3,{row}", moment=NOON + timedelta(days=3))
    # Berlin: 2 hours on Friday, 7 on Monday. London, from 13 to 14: none on Friday any more, 1 on Monday.
    rows = await office.conn.fetch("select partner_id, business_minutes from lead_contact_time order by 1")
    assert [tuple(one) for one in rows] == [("p1", 9 * 60), ("p3", 60)]


async def test_a_lead_nobody_can_reckon_is_a_bad_row(office: Office) -> None:
    assert await office.load(LEADS, "a,p1,hot,9999-12-31T00:00Z,,,", "b,p1,hot,2025-03-03T09:00Z,,,") == (1, 0, 0, 0, 1)
    bad = office.rejected()
    assert bad["reject_column"] == "At"
    assert "no deadline can be reckoned: time ends before the clock does" in bad["reject_reason"]


async def test_public_holidays_stored_earlier_stand_whatever_the_library_says_now(office: Office) -> None:
    """As an older version knew them: 3 March, and not the one of Berlin."""
    await office.conn.execute("insert into public_holiday_year values ('DE-BE', 2025, '0.1')")
    await office.conn.execute("insert into public_holiday values ('DE-BE', 2025, '2025-03-03', 'Of old')")
    await office.load(LEADS, "a,p1,hot,2025-02-28T14:00Z,,,", "b,p1,hot,2025-12-31T14:00Z,,,")
    assert await office.due() == at("2025-03-05 14:00")
    # Into the next year, whose first day the library closes.
    assert await office.due("b") == at("2026-01-05 14:00")
    years = await office.conn.fetch("select year, library_version = '0.1' from public_holiday_year order by year")
    assert [tuple(row) for row in years] == [(2025, True), (2026, False)]


async def test_a_pause_taken_in_beside_an_import_of_its_lead_is_not_lost(desk: Desk, tmp_path: Path) -> None:
    office = Office(desk.conn, tmp_path)
    await begin(office)
    lead = "a,p1,hot,2025-02-28T14:00Z,,,"
    await office.load(LEADS, lead)
    (tmp_path / "other").mkdir()
    other = Office(await asyncpg.connect(desk.dsn), tmp_path / "other")
    try:
        async with office.conn.transaction():
            await office.load(PAUSES, "1,a,2025-03-03T09:00Z,2025-03-03T12:00Z,waiting_for_customer")
            contact = asyncio.create_task(
                other.load(LEADS, f"{lead}2025-03-03T15:00Z", moment=NOON + timedelta(days=3))
            )
            while not await office.conn.fetchval("select exists (select from pg_locks where not granted)"):
                assert not contact.done()
                await asyncio.sleep(0.01)
        assert await contact == (0, 1, 0, 0, 0)
        assert await office.due() == at("2025-03-05 09:00")
    finally:
        await other.conn.close()


@pytest.mark.parametrize(
    ("mapping", "row", "reason"),
    [
        (CALENDARS, "x,Europe/Berlinn,DE,09:00-17:00", "found 'Europe/Berlinn'; allowed: a time zone name"),
        (CALENDARS, "x,Europe/Berlin,XX,09:00-17:00", "found 'XX'; no such country is known"),
        (CALENDARS, "x,Europe/Berlin,DE-XX,09:00-17:00", "DE has no such part; allowed: DE, DE-BB, DE-BE"),
        (CALENDARS, "x,Europe/Berlin,DE,09:00-09:00", "'09:00-09:00' is empty; all day is 00:00-24:00"),
        (CALENDARS, "x,Europe/Berlin,DE,9-17", "'9-17' is no opening hour; write for example 09:00-17:30"),
        (CALENDARS, "x,Europe/Berlin,DE,09:00-12:00;11:00-13:00", "09:00-12:00 and 11:00-13:00 overlap"),
        (CALENDARS, "x,Europe/Berlin,DE,", "allowed: hours on at least one day, such as 09:00-17:30"),
        (HOLIDAYS, "nowhere,2025-01-01,", "found 'nowhere'; no such business calendar is known"),
        (POLICIES, "v,*,2025-01-01,NaN,1,,,", "found 'NaN'; allowed: a whole number"),
        (POLICIES, "v,*,2025-01-01,Infinity,1,,,", "found 'Infinity'; allowed: a whole number"),
        (POLICIES, "v,*,2025-01-01,0,1,,,", "accept_within > 0"),
        (POLICIES, "v,*,2025-01-01,1,525601,,,", "contact_within <= 525600"),
        (POLICIES, "v,*,2025-01-01,1,1,sometimes,,", "found 'sometimes'; allowed: business, elapsed"),
        (PARTNERS, "x,nowhere", "found 'nowhere'; no such business calendar is known"),
        (PAUSES, "1,nothing,2025-03-03T09:00Z,,why", "found 'nothing'; no such lead is known"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(office: Office, mapping: str, row: str, reason: str) -> None:
    assert (await office.load(mapping, row))[4] == 1
    bad = office.rejected()
    assert reason in bad["reject_reason"]
