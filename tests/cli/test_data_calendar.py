"""data calendar: when partners work, and on which days they do not, for people and for programs."""

from __future__ import annotations

from cli.output import Exit
from tests.cli.conftest import Terminal
from tests.real_data import ROOT

FACTS, MAPPINGS = ROOT / "examples" / "facts", ROOT / "examples" / "mappings" / "crm"


async def test_a_calendar_shows_its_hours_and_the_days_it_is_closed(terminal: Terminal) -> None:
    given = (str(FACTS / "calendars.csv"), "--mapping", str(MAPPINGS / "calendars.yaml"), "--strict")
    assert (await terminal("data", "import", "calendars", *given)).code == Exit.OK
    shown = await terminal("data", "calendar", "berlin-office", "--year", "2026")
    assert shown.code == Exit.OK, shown.err
    lines = shown.out.splitlines()
    assert lines[0] == "berlin-office: Europe/Berlin; 0 partners keep it."
    assert ["friday", "08:30-14:00"] in [line.split() for line in lines]
    assert ["sunday", "closed"] in [line.split() for line in lines]
    assert "Public holidays of DE-BE in 2026: not needed yet; as the library has them now." in lines
    assert any(line.startswith("Fri 2026-12-25") and "closed" in line and "public" in line for line in lines)

    told = await terminal("data", "calendar", "berlin-office", "--year", "2026", "-o", "json")
    assert (told.document["kind"], told.data["time_zone"], told.data["library_version"]) == (
        "calendar",
        "Europe/Berlin",
        None,
    )
    assert {"day": "2026-03-08", "name": "Women's Day", "closed": True, "public": True} in told.data["days"]


async def test_a_calendar_that_is_not_there_is_refused_with_those_that_are(terminal: Terminal) -> None:
    given = (str(FACTS / "calendars.csv"), "--mapping", str(MAPPINGS / "calendars.yaml"))
    await terminal("data", "import", "calendars", *given)
    refused = await terminal("data", "calendar", "nowhere")
    assert (refused.code, refused.out) == (Exit.BAD_INPUT, "")
    # A world that was made here before has calendars of its own, whose names begin with a capital.
    assert "There is no calendar 'nowhere'; allowed: " in refused.err
    assert "berlin-office, boston-shop, night-desk." in refused.err
