"""An earlier moment looked at again: whatever was corrected, taken back or learnt since, checks count as they did."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from activities.checking import count_quality
from activities.completing import read_completeness
from activities.measuring import Ask
from models.evidence import Window
from models.metric import MetricName
from models.quality import Check
from models.rollout import CohortMembers
from store.corrections import COUNTED, Corrections, corrected_since, read_corrections
from store.metrics import read_rows, read_sla
from store.quality import NOT_READ, read_quality, tables_behind
from tests.store.derived import kept_by
from tests.store.world import World, at, day

PARTNERS = ("a", "b", "c", "d", "e")
COHORTS = (CohortMembers(name="pilot", partners=("a", "b", "c")), CohortMembers(name="rest", partners=("c", "d", "e")))
# Two on one day, since volumes are counted by days.
MOMENTS = (at("2026-03-30 12:00"), at("2026-03-30 18:00"), at("2026-04-02 12:00"), at("2026-04-07 12:00"))
ALL_CORRECTED = dict.fromkeys(tables_behind(MetricName), MOMENTS[-1] + timedelta(days=1))
Dice = random.Random


async def seen(world: World, as_of: datetime, corrections: Corrections | None = None) -> dict[Any, Any]:
    """All that is counted for the checks of every metric, as a look counts it; after these corrections, if they are not
    to be asked for."""
    if corrections is None:
        corrections = await read_corrections(world.conn, tables_behind(MetricName))
    window = Window(start=as_of - timedelta(days=28), end=as_of)
    groups = [one.partners for one in COHORTS]
    sla = await read_sla(world.conn, groups, window=window, as_of=as_of)
    ask = Ask(
        as_of, COHORTS, dict.fromkeys(MetricName, window.end - window.start), alone={Check.COHORT: tuple(MetricName)}
    )
    found: dict[Any, Any] = dict(await read_completeness(world.conn, (ask,), corrections))
    for metric in MetricName:
        rows = await read_rows(world.conn, metric, groups, window=window, as_of=as_of)
        for newest in (NOT_READ, sla.newest) if metric is MetricName.LEAD_FOLLOW_UP_SLA else (NOT_READ,):
            counted = await count_quality(world.conn, metric, window, COHORTS, rows, newest, corrections)
            found.setdefault(metric, counted)
            assert counted == found[metric]
    # What is read beside, but no check is made of unless months are odd.
    margin = MetricName.CONTRIBUTION_MARGIN
    raw = await read_quality(world.conn, margin, groups, window, days=7, periods=20, corrections=corrections)
    return {**found, "months": raw.months}


def _moment(dice: Dice, until: datetime) -> datetime:
    """Few enough that some facts fall together."""
    return until.replace(hour=6) - timedelta(days=dice.choice([1, 2, 3, 9, 16, 23, 35, 60, 85]))


def _facts(dice: Dice, known: datetime) -> list[tuple[str, dict[str, Any]]]:
    """A fact of every kind, told at a moment, of which some happened long before it."""
    then, partner, source = _moment(dice, known), dice.choice(PARTNERS), dice.choice(["crm", "erp"])
    of: dict[str, Any] = {"partner_id": partner, "source_system": source, "known_at": known - timedelta(hours=1)}
    twin: dict[str, Any] = {"created_at": then, "class": "hot", "contact_due_at": then + timedelta(days=2)}
    won: dict[str, Any] = {
        "closed_at": then,
        "outcome": "won",
        "amount": 500,
        "qualified_at": then - timedelta(days=30),
    }
    course: dict[str, Any] = {"person_id": f"{partner}-1", "course_id": "basics", "due_on": then.date()}
    sold: dict[str, Any] = {"transaction_date": then.date(), "net_amount": 100}
    spent: dict[str, Any] = {"recognised_on": then.date(), "amount": 60}
    return [
        ("lead", {**of, "assigned_at": then, **twin}),
        ("opportunity", {**of, **won}),
        ("partner_transaction", {**of, **sold, "attribution": dice.choice(["sourced", "influenced"])}),
        ("partner_cost", {**of, **spent, "kind": dice.choice(["product", "freight"])}),
        ("mdf_claim", {**of, "submitted_at": then, "claimed_amount": 10, "invoice_ref": dice.choice(["i", "j", None])}),
        ("enablement_assignment", {**of, **course, "assigned_at": then}),
        ("compliance_result", {**of, "check_id": "audit", "version": 1, "outcome": "pass", "assessed_at": then}),
    ]


CORRECTIONS: dict[str, list[Callable[[Dice, datetime], dict[str, Any]]]] = {
    "lead": [
        lambda dice, then: {"assigned_at": _moment(dice, then)},
        lambda dice, then: {"class": dice.choice(["hot", "cold"])},
        lambda dice, then: {"excluded_at": then, "excluded_reason": "duplicate"},
        lambda dice, then: {"first_contact_at": _moment(dice, then)},
    ],
    "opportunity": [
        lambda dice, then: {"closed_at": _moment(dice, then), "outcome": dice.choice(["won", "lost"])},
        lambda dice, then: {"closed_at": None, "outcome": None},
        lambda dice, then: {"amount": dice.choice([500, 700])},
    ],
    "partner_transaction": [
        lambda dice, then: {"transaction_date": _moment(dice, then).date()},
        lambda dice, then: {"net_amount": dice.randrange(200)},
        lambda dice, then: {"attribution": dice.choice(["sourced", "influenced"])},
    ],
    "partner_cost": [
        lambda dice, then: {"recognised_on": _moment(dice, then).date(), "amount": dice.randrange(200)},
        lambda dice, then: {"kind": dice.choice(["product", "freight"])},
    ],
    "mdf_claim": [
        lambda dice, then: {"submitted_at": _moment(dice, then)},
        lambda dice, then: {"withdrawn_at": then},
    ],
    "enablement_assignment": [
        lambda dice, then: {"assigned_at": _moment(dice, then)},
        lambda dice, then: {"completed_at": then},
    ],
    "compliance_result": [
        lambda dice, then: {"assessed_at": _moment(dice, then)},
        lambda dice, then: {"outcome": dice.choice(["pass", "fail"])},
    ],
}


def _to_another(dice: Dice, _: datetime) -> dict[str, Any]:
    return {"partner_id": dice.choice(PARTNERS)}


async def _happen(world: World, dice: Dice, told: list[tuple[str, str]], until: datetime) -> None:
    """What becomes known in the hours before a moment: new facts, and other words about some that were told before."""
    for table, name in dice.sample(told, len(told) // 3):
        known = until - timedelta(hours=dice.choice([1, 2, 3]))
        change = dice.choice([*CORRECTIONS[table], _to_another])(dice, known)
        await world.amend(table, name, known.isoformat(), **change)
    for table, row in [one for _ in range(6) for one in _facts(dice, until)]:
        told.append((table, await world.add(table, **row)))


async def test_what_is_counted_of_an_earlier_moment_is_what_was_counted_then(world: World) -> None:
    dice, told = random.Random(0), list[tuple[str, str]]()
    for partner in PARTNERS:
        await world.add("partner", partner_id=partner)
        await world.add("person", person_id=f"{partner}-1", partner_id=partner)
    check: dict[str, Any] = {"check_id": "audit", "version": 1, "severity": "high", "weight": 7}
    await world.add("compliance_check", effective_from=day("2020-01-01"), **check)
    for weeks in range(8, 0, -1):
        await _happen(world, dice, told, MOMENTS[0] - timedelta(weeks=weeks))
    said: dict[datetime, dict[Any, Any]] = {}
    for moment in MOMENTS:
        await _happen(world, dice, told, moment)
        said[moment] = await seen(world, moment)
        # Nothing was corrected since: what takes less is asked, and finds what the other finds.
        assert not corrected_since(
            await read_corrections(world.conn, tables_behind(MetricName)), tables_behind(MetricName), moment
        )
        assert await seen(world, moment, ALL_CORRECTED) == said[moment]
        if moment == MOMENTS[1]:
            await world.amend("partner", "b", "2026-03-31", active_to=day("2026-03-15"))
        for earlier in said:
            again = await seen(world, earlier)
            assert {name: one for name, one in again.items() if one != said[earlier][name]} == {}, earlier
    # They have something to say, and not the same of each moment.
    assert all(said[earlier] != said[MOMENTS[-1]] for earlier in MOMENTS[:-1])
    counts = [one for checked in said[MOMENTS[-1]].values() if hasattr(checked, "counts") for one in checked.counts]
    assert any(one.duplicates for one in counts)
    assert any(one.restated.facts for one in counts)


async def test_facts_are_counted_as_of_a_moment_by_the_words_of_what_counts_them_day_by_day(world: World) -> None:
    kept = {table: tuple(words) for table, words in await kept_by(world.conn, "count_fact_days")}
    assert kept == {table: tuple(one) for table, one in COUNTED.items()}
