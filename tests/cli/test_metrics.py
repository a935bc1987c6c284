"""metrics list and show: what a metric says of any partners without a rollout, and why where it says nothing.

Leads of January, the usual window of 28 days ending on 1 February; of b's two that were never called both are called
on the third. `a` met three of four, `b` one of three: 4 / 7. In the four weeks before, each met two of two.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.output import Exit
from models.metric import CATALOGUE, MetricName
from tests.cli.conftest import Terminal, Told
from tests.store.world import World, at

SLA = MetricName.LEAD_FOLLOW_UP_SLA
FEBRUARY = ("--as-of", "2026-02-01")


async def lead(world: World, partner: str, assigned: str, contacted: str | None = None, **more: Any) -> None:
    """Due after a day; a contact is known at once."""
    begins = at(assigned)
    contact = {"first_contact_at": at(contacted), "first_contact_known_at": at(contacted)} if contacted else {}
    due = begins + timedelta(days=1)
    await world.add(
        "lead", partner_id=partner, assigned_at=begins, contact_due_at=due, known_at=begins, **contact, **more
    )


@pytest.fixture
async def asked(database: str, tmp_path: Path) -> Terminal:
    """A terminal at a store that nothing can be written to through it."""
    conn = await asyncpg.connect(database)
    world = World(conn)
    for name, tier, left in (("a", "gold", None), ("b", "silver", None), ("gone", "gold", "2025-12-01")):
        until = at(left).date() if left else None
        await world.add("partner", partner_id=name, tier=tier, region="north", active_to=until)
    for hour in (8, 9, 10):
        await lead(world, "a", f"2026-01-10 {hour:02}:00", "2026-01-10 12:00")
    await lead(world, "a", "2026-01-10 11:00", "2026-01-20 11:00")
    await lead(world, "b", "2026-01-14 08:00", "2026-01-14 12:00")
    for hour in (9, 10):
        await lead(world, "b", f"2026-01-14 {hour:02}:00", "2026-02-03 12:00")
    for partner in ("a", "b"):
        for hour in (8, 9):
            await lead(world, partner, f"2025-12-10 {hour:02}:00", "2025-12-10 12:00")
    await conn.close()
    reading = {"ROLLOUTS_DATABASE_DSN": f"{database}?default_transaction_read_only=on"}
    return Terminal(tmp_path, tmp_path / "none", reading)


async def document(asked: Terminal, *words: str, code: int = Exit.OK) -> dict[str, Any]:
    told = await asked("metrics", "show", *words, "-o", "json")
    assert (told.code, told.document["kind"]) == (code, "metric"), told.err
    found: dict[str, Any] = told.data
    return found


def lines(told: Told, beginning: str) -> list[str]:
    return [line for line in told.out.splitlines() if line.startswith(beginning)]


async def test_a_metric_is_shown_with_all_that_stands_beside_its_value(asked: Terminal) -> None:
    told = await asked("metrics", "show", SLA, *FEBRUARY, "--all")
    assert told.code == Exit.OK, told.err
    first, value, rests, *_ = told.out.splitlines()
    assert first == "Lead follow-up SLA from 2026-01-04 00:00 to 2026-02-01 00:00, of 2 partners (everybody)"
    assert value.startswith("  57.14 % = leads first contacted")
    assert rests == (
        "  numerator 4.00, denominator 7.00; 2 partners, 7 facts; data reach to 2026-01-20 11:00; definition 1"
    )
    assert [lines(told, part)[0].split()[1] for part in ("met ", "late ", "open_breach ")] == ["4.00", "1.00", "2.00"]
    assert lines(told, "Who weighs on it most: b (1.00 of 3.00), a (3.00 of 4.00)")
    assert lines(told, "Leads behind it: ")[0].count("open_breach") == 2
    # Twelve days are more than the seven that people agree on, and seven facts are few.
    assert lines(told, "age")[0].split() == ["age", "red", "11d", "13h", "old", "at", "most", "7d"]
    assert lines(told, "sample")[0].split()[1] == "amber"
    assert lines(told, "completeness")[0].split()[1] == "green"
    assert not lines(await asked("metrics", "show", SLA, *FEBRUARY), "completeness")

    found = await document(asked, SLA, *FEBRUARY)
    assert (found["value"], found["numerator"], found["denominator"]) == (pytest.approx(100 * 4 / 7), 4, 7)
    assert (found["members"], found["n_partners"], found["n_facts"]) == (2, 2, 7)
    assert (found["current"], found["sample_reached"], found["definition_version"]) == (False, False, 1)
    assert (found["window"]["start"], found["as_of"]) == ("2026-01-04T00:00:00Z", "2026-02-01T00:00:00Z")
    assert "partners" not in found


async def test_partners_are_selected_as_plans_do_or_named(asked: Terminal) -> None:
    async def value(*words: str) -> tuple[float, int]:
        found = await document(asked, SLA, *FEBRUARY, *words)
        return found["value"], found["members"]

    # Who has left is selected by nobody, and counts where somebody names them.
    assert await value("--tier", "gold") == (75, 1)
    assert await value("--tier", "gold", "--tier", "silver", "--region", "north") == (pytest.approx(100 * 4 / 7), 2)
    assert await value("--limit", "1") == (75, 1)
    assert await value("--partner", "b", "--partner", "gone", "--partner", "b") == (pytest.approx(100 / 3), 2)


async def test_each_partner_is_shown_with_what_it_did_to_the_value(asked: Terminal) -> None:
    found = await document(asked, SLA, *FEBRUARY, "--by-partner")
    # From 100 % to 4 / 7: of the seven leads a missed one and b two, so that they add up to the change.
    assert (found["before"]["value"], found["before"]["window"]["start"]) == (100, "2025-12-07T00:00:00Z")
    moved = {one["partner_id"]: one["contribution"]["change"] for one in found["partners"]}
    assert list(moved) == ["b", "a"]
    assert moved == {"a": pytest.approx(-100 / 7), "b": pytest.approx(-200 / 7)}
    assert sum(moved.values()) == pytest.approx(found["value"] - 100)
    assert [(one["value"], one["row"]["facts"]) for one in found["partners"]] == [(pytest.approx(100 / 3), 3), (75, 4)]

    told = await asked("metrics", "show", SLA, *FEBRUARY, "--by-partner")
    cells = ["b", "33.33", "1.00", "3.00", "3", "-28.57", "-28.57", "+0.00", "100.00"]
    assert lines(told, "b ")[0].split()[: len(cells)] == cells
    assert lines(told, "b ")[0].count("lead-") == 2
    # Where the window before has no value nobody can have moved it: who weighs on it most comes first.
    january = await document(asked, SLA, *FEBRUARY, "--from", "2026-01-12", "--by-partner", "--partner", "b")
    assert [(one["partner_id"], one["contribution"]) for one in january["partners"]] == [("b", None)]
    assert january["before"]["reason"] == "no_data"


async def test_what_was_known_at_a_moment_is_shown_also_of_a_window_that_was_over(asked: Terminal) -> None:
    # Two days after the leads, the late one of a had not been called yet.
    early = await document(asked, SLA, "--partner", "a", "--as-of", "2026-01-12T00:00:00")
    assert (early["value"], early["parts"]["late"], early["parts"]["open_breach"]) == (75, 0, 1)
    # By February the fifth b has called its two, too late; the value is the same, and what it is made of is not.
    span = ("--from", "2026-01-04", "--to", "2026-02-01")
    late = await document(asked, SLA, *span, "--as-of", "2026-02-05")
    assert (late["value"], late["parts"]["late"], late["parts"]["open_breach"]) == (pytest.approx(100 * 4 / 7), 3, 0)
    assert (late["checks"], late["current"], late["window"]["end"]) == (None, None, "2026-02-01T00:00:00Z")
    told = await asked("metrics", "show", SLA, *span, "--as-of", "2026-02-05")
    assert ", as known at 2026-02-05 00:00, of 2 partners" in told.out
    assert "Not looked at: the window ended before --as-of" in told.err
    # A window whose end alone is named is read as of then.
    there = await document(asked, SLA, *span)
    assert (there["as_of"], there["parts"]["open_breach"]) == ("2026-02-01T00:00:00Z", 2)


async def test_no_value_is_an_exit_code_of_its_own_and_says_why(asked: Terminal) -> None:
    found = await document(asked, SLA, *FEBRUARY, "--partner", "gone", code=Exit.ERROR)
    assert (found["value"], found["reason"]) == (None, "no_data")
    assert found["why"] == "nobody of the cohort has a fact, or none that applies (no_data)"
    told = await asked("metrics", "show", SLA, *FEBRUARY, "--partner", "gone", "--by-partner")
    assert (told.code, told.err.splitlines()[-1]) == (Exit.ERROR, f"There is no value: {found['why']}.")


async def test_strict_fails_where_the_data_are_not_to_be_trusted(asked: Terminal, database: str) -> None:
    old = await asked("metrics", "show", SLA, *FEBRUARY, "--strict")
    assert (old.code, old.err.splitlines()[-1]) == (Exit.ERROR, "The data are not to be trusted: age.")
    fresh = ("metrics", "show", SLA, "--as-of", "2026-01-21", "--strict")
    assert (await asked(*fresh)).code == Exit.OK
    conn = await asyncpg.connect(database)
    world = World(conn)
    for number in range(4):
        await lead(
            world, "c", "2026-01-13 08:00", "2026-01-13 12:00", created_at=at("2026-01-13"), source_id=f"again-{number}"
        )
    await conn.close()
    # Three of the four are the same lead again, of 4 + 3 + 4.
    twice = await asked(*fresh)
    assert (twice.code, twice.err.splitlines()[-1]) == (Exit.ERROR, "The data are not to be trusted: duplicates.")
    assert "3 of 11 facts stand there twice (c)" in lines(twice, "duplicates")[0]


REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("sla",), "'sla' is not one of 'contribution_margin', "),
    ((SLA, "--partner", "a", "--partner", "x"), "1 partner is not in the store: x; import it first"),
    ((SLA, "--tier", "tin"), "--tier: no partner has tin; there are gold, silver."),
    ((SLA, "--type", "bank"), "--type: no partner has bank; there are reseller."),
    ((SLA, "--partner", "a", "--tier", "gold"), "Name partners by --partner or select them"),
    ((SLA, "--window", "soon"), "--window: 'soon' is not a duration; write for example 90d"),
    ((SLA, "--window", "9d", "--from", "2026-01-01"), "--window and --from both say where the window begins"),
    ((SLA, "--from", "2026-02-01", *FEBRUARY), "--from is 2026-02-01 00:00; it must lie before the end"),
    ((SLA, "--to", "2026-03-01", *FEBRUARY), "--to is 2026-03-01 00:00, after --as-of, 2026-02-01 00:00"),
    ((SLA, "--as-of", "noon"), "'noon' does not match the formats '%Y-%m-%d'"),
    ((SLA, "--as-of", "2300-01-01"), "--as-of leads to 2300-01-01; allowed: 1900-01-01 to 2200-01-01."),
    ((SLA, "--region", "north", "--tier", "silver", "--as-of", "1990-01-01"), "no active partner at 1990-01-01"),
)
"""What is asked, and what is said of it."""


async def test_what_cannot_be_asked_is_said_with_what_can(asked: Terminal) -> None:
    for words, told in REFUSED:
        found = await asked("metrics", "show", *words)
        assert (found.code, found.out) == (Exit.BAD_INPUT, "")
        assert told in found.err


async def test_every_metric_can_be_shown_and_is_listed(asked: Terminal) -> None:
    for metric, spec in CATALOGUE.items():
        shown = await asked("metrics", "show", metric, *FEBRUARY, "--by-partner", "-o", "json")
        assert shown.code == (Exit.ERROR if shown.data["value"] is None else Exit.OK)
        assert (shown.data["title"], shown.data["unit"]) == (spec.title, spec.unit)
        assert set(shown.data["parts"]) <= {part.name for part in spec.parts}
        assert (shown.data["reason"] is None) == (shown.data["value"] is not None)
    told = await asked("metrics", "list")
    assert [line.split()[0] for line in told.out.splitlines()] == ["metric", *CATALOGUE]
    listed = (await asked("metrics", "list", "-o", "json")).document
    assert (listed["kind"], [one["name"] for one in listed["data"]]) == ("metrics", list(CATALOGUE))
    assert listed["data"][0]["defaults"]["window"] == "90d"
