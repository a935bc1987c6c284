"""What is counted of facts for the checks: with the facts in one transaction, and as of the moment asked for."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from models.metric import MetricName
from models.quality import Gone
from store.completeness import read_cost_volumes, read_own_volumes
from store.metrics import read_rows
from store.pool import create_pool
from store.quality import Raw, Some, facts_behind, read_quality
from tests.store.world import Q1, Q1_END, World, at, day

LEAKAGE, ACCEPTANCE = MetricName.DISCOUNT_LEAKAGE, MetricName.LEAD_ACCEPTANCE
SLA, MARGIN, VELOCITY = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.CONTRIBUTION_MARGIN, MetricName.PIPELINE_VELOCITY

BY_HAND = {
    "lead": """
        select 'lead', source_system, assigned_at::date, known_at::date, '', count(*), 0 from lead group by 2, 3, 4
    """,
    "partner_transaction": """
        select 'partner_transaction', source_system, transaction_date, known_at::date, currency::text, count(*),
               sum(net_amount * credit_share)
        from partner_transaction where attribution = 'sourced' group by 2, 3, 4, 5
    """,
    "opportunity": """
        select 'opportunity', source_system, closed_at::date, greatest(known_at, closed_at, closed_known_at)::date, '',
               count(*), 0
        from opportunity where closed_at is not null group by 2, 3, 4
    """,
}
ROLLED_UP = """
    select facts_of, source_system, day, known_on, currency, sum(facts), sum(amount) from fact_day
    where facts_of = $1 group by 1, 2, 3, 4, 5 having sum(facts) <> 0
"""


async def counted(world: World, metric: MetricName, *groups: tuple[str, ...]) -> Raw:
    return await read_quality(world.conn, metric, groups, Q1, days=7, periods=40)


# Volumes: a roll-up that cannot disagree with its facts.


async def test_the_days_of_facts_are_those_of_the_facts_under_writers_who_correct_and_fail(database: str) -> None:
    """Eight writers at once insert, correct, close, delete and roll back; then both are added up."""
    async with await create_pool(database, max_size=8, command_timeout=60) as pool:
        await pool.execute(
            "insert into partner (partner_id, name, source_system, source_id, known_at)"
            " select 'p' || n, 'p', 'test', 'p' || n, now() from generate_series(1, 5) n"
        )
        await asyncio.gather(*(_write(pool, number) for number in range(8)))
        for table, sql in BY_HAND.items():
            rolled = {tuple(row) for row in await pool.fetch(ROLLED_UP, table)}
            assert rolled == {tuple(row) for row in await pool.fetch(sql)}
            assert len(rolled) > 2
        await pool.execute("truncate lead cascade")
        assert await pool.fetch(ROLLED_UP, "lead") == []


async def _write(pool: asyncpg.Pool, number: int) -> None:
    dice = random.Random(number)
    for step in range(12):
        async with pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            try:
                await _change(conn, dice, f"{number}-{step}")
                # One in four dies with its work half done.
                await (transaction.rollback() if dice.random() < 0.25 else transaction.commit())
            except asyncpg.DeadlockDetectedError:
                await transaction.rollback()


async def _change(conn: asyncpg.pool.PoolConnectionProxy, dice: random.Random, name: str) -> None:
    source, shift = dice.choice(["crm", "erp"]), timedelta(days=dice.randrange(6))
    moment = at("2026-01-05") + shift
    await conn.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, known_at)"
        " select $1, $2 || n, 'p' || n, $3, $3 from generate_series(1, 5) n"
        " on conflict (source_system, source_id) do update set assigned_at = excluded.assigned_at",
        source,
        dice.choice(["a", name]),
        moment,
    )
    await conn.execute(
        "insert into opportunity (source_system, source_id, partner_id, currency, known_at)"
        " values ($1, $2, 'p1', 'USD', $3)",
        source,
        name,
        moment,
    )
    await conn.execute(
        "update opportunity set closed_at = $1, outcome = 'lost' where source_id like $2", moment + shift, f"{name[0]}%"
    )
    await conn.execute(
        "insert into partner_transaction (source_system, source_id, transaction_id, partner_id, credit_share, kind,"
        " transaction_date, net_amount, currency, known_at) values ($1, $2, $2, 'p2', 0.5, 'sale', $3, $4, $5, $6)",
        source,
        name,
        moment.date(),
        dice.randrange(100),
        dice.choice(["USD", "EUR"]),
        moment,
    )
    await conn.execute("delete from partner_transaction where source_id like $1", f"%-{dice.randrange(12)}")


async def test_volumes_are_those_known_at_the_moment_and_by_the_end_of_their_own_week(world: World) -> None:
    """Of two leads in the last week one is learnt after the moment; of two in the week before one is learnt late."""
    for assigned, known in (
        ("2026-03-30 10:00", "2026-03-30 10:00"),
        ("2026-03-30 11:00", "2026-04-02"),
        ("2026-03-20 10:00", "2026-03-20 10:00"),
        ("2026-03-20 11:00", "2026-03-28"),
    ):
        await world.add("lead", partner_id="a", assigned_at=at(assigned), known_at=at(known))
    periods = (await counted(world, SLA, ("a",))).volumes["test"]
    assert [(one.number, one.facts, one.fresh, one.through) for one in periods] == [
        (0, 1, 1, day("2026-03-30")),
        (1, 2, 1, day("2026-03-20")),
    ]


async def test_a_source_reaches_to_the_newest_day_that_still_has_a_fact(world: World) -> None:
    """Of one week two leads: the newer one is taken back, and the other then put a day earlier by a correction."""
    await lead_of(world, "a", "2026-03-27 10:00", "2026-03-27 10:00", "crm")
    await lead_of(world, "a", "2026-03-30 10:00", "2026-03-30 10:00", "crm")
    await world.conn.execute("delete from lead where assigned_at > '2026-03-28'")
    [week] = (await counted(world, SLA, ("a",))).volumes["crm"]
    assert (week.facts, week.through) == (1, day("2026-03-27"))
    sql = "update lead set assigned_at = assigned_at - interval '1 day', amended_at = $1"
    await world.conn.execute(sql, at("2026-03-31"))
    [week] = (await counted(world, SLA, ("a",))).volumes["crm"]
    assert (week.facts, week.through) == (1, day("2026-03-26"))
    # What is corrected after the moment stood until then.
    await world.conn.execute(sql, at("2026-04-02"))
    [week] = (await counted(world, SLA, ("a",))).volumes["crm"]
    assert (week.facts, week.through) == (1, day("2026-03-26"))


async def test_lines_of_product_cost_have_volumes_of_their_own(world: World) -> None:
    """Of two costs in the last week one is freight; of two in the week before one is of influenced revenue."""
    for on, kind, attribution in (
        ("2026-03-30", "product", "sourced"),
        ("2026-03-30", "freight", "sourced"),
        ("2026-03-20", "product", "sourced"),
        ("2026-03-20", "product", "influenced"),
    ):
        row: dict[str, Any] = {"amount": 1, "recognised_on": day(on), "known_at": at(on)}
        await world.add("partner_cost", partner_id="a", kind=kind, attribution=attribution, **row)
    await world.add("partner_transaction", partner_id="a", net_amount=1, transaction_date=day("2026-03-30"))
    await world.add("partner_cost", partner_id="a", amount=1, recognised_on=day("2026-03-28"), source_system="ledger")
    ledger, test = await read_cost_volumes(world.conn, Q1_END.date(), days=7, periods=30)
    assert (ledger.name, ledger.sells, len(ledger.periods)) == ("ledger", False, 1)
    assert (test.name, test.sells) == ("test", True)
    assert [(one.number, one.facts, one.fresh) for one in test.periods] == [(0, 1, 1), (1, 1, 1)]


async def test_what_a_cohort_tells_by_itself_is_of_its_partners_whatever_the_source_and_as_was_known(
    world: World,
) -> None:
    """As of volumes: the last week has one lead that is known, the week before two, of which one was learnt late. The
    other partner's leads are of the other group, and of both where it is in both."""
    for partner, assigned, known, source in (
        ("a", "2026-03-30 10:00", "2026-03-30 10:00", "crm"),
        ("a", "2026-03-30 11:00", "2026-04-02", "crm"),
        ("a", "2026-03-20 10:00", "2026-03-20 10:00", "crm"),
        ("a", "2026-03-20 11:00", "2026-03-28", "other"),
        ("b", "2026-03-20 12:00", "2026-03-20 12:00", "crm"),
        ("a", "2025-01-01", "2025-01-01", "crm"),
    ):
        await lead_of(world, partner, assigned, known, source)
    groups = (("a",), ("a", "b"), ())
    found = await read_own_volumes(world.conn, SLA, groups, Q1_END.date(), days=7, periods=30)
    assert [[(one.number, one.facts, one.fresh, one.through) for one in of] for of in found] == [
        [(0, 1, 1, day("2026-03-30")), (1, 2, 1, day("2026-03-20"))],
        [(0, 1, 1, day("2026-03-30")), (1, 3, 2, day("2026-03-20"))],
        [],
    ]


async def lead_of(world: World, partner: str, assigned: str, known: str, source: str) -> None:
    row = {"assigned_at": at(assigned), "known_at": at(known), "source_system": source}
    await world.add("lead", partner_id=partner, **row)


async def test_of_sales_and_deals_a_cohort_tells_what_the_metric_counts(world: World) -> None:
    for attribution in ("sourced", "sourced", "influenced"):
        row: dict[str, Any] = {"net_amount": 1, "transaction_date": day("2026-03-30"), "attribution": attribution}
        await world.add("partner_transaction", partner_id="a", **row)
    for closed in (at("2026-03-30"), None):
        outcome = {"closed_at": closed, "outcome": "lost"} if closed else {}
        await world.add("opportunity", partner_id="a", qualified_at=at("2026-03-01"), amount=1, **outcome)
    found = {
        metric: await read_own_volumes(world.conn, metric, (("a",),), Q1_END.date(), days=7, periods=30)
        for metric in (MARGIN, VELOCITY, MetricName.COMPLIANCE_SCORE)
    }
    assert [[one.facts for one in of] for [of] in found.values()] == [[2], [1], []]


# Who falls silent, and from which source somebody is heard.


async def lead(world: World, partner: str, *days: str, source: str = "test", **more: Any) -> None:
    for one in days:
        known = at(one)
        await world.add("lead", partner_id=partner, assigned_at=known, known_at=known, source_system=source, **more)


async def test_a_partner_is_silent_after_three_windows_with_leads_and_one_without(world: World) -> None:
    every = ("2025-05-20", "2025-08-20", "2025-11-20")
    await lead(world, "always", *every, "2026-02-20")
    await lead(world, "gone", *every)
    await lead(world, "rare", "2025-05-20", "2025-11-20")
    await lead(world, "new", "2026-02-20")
    heard = (await counted(world, SLA, ("always", "gone", "rare", "new"), ("always",))).heard
    assert heard[0].gone == Gone(had=3, silent=1, left=0, names=("gone",))
    assert heard[1].gone == Gone(had=1)
    assert heard[0].partners == {"test": 4}


async def test_a_partner_belongs_to_the_source_of_the_newest_lead_and_may_have_left(world: World) -> None:
    await lead(world, "moved", "2026-01-10", source="old")
    await lead(world, "moved", "2026-03-10", source="new")
    await lead(world, "stayed", "2026-01-10", source="old")
    await world.conn.execute("update partner set active_to = '2026-03-15' where partner_id = 'stayed'")
    heard = (await counted(world, SLA, ("moved", "stayed", "nobody"))).heard[0]
    assert heard.partners == {"new": 1, "old": 1}
    assert heard.gone.left == 1
    # Of whom it is told only later there is nobody gone yet.
    await world.amend("partner", "moved", "2026-04-02", active_to=day("2026-03-20"))
    assert (await counted(world, SLA, ("moved", "stayed"))).heard[0].gone.left == 1


# What stands twice.


async def test_leads_stand_twice_where_everything_that_tells_them_apart_is_the_same(world: World) -> None:
    twin: dict[str, Any] = {"created_at": at("2026-02-01 09:00"), "class": "hot", "contact_due_at": at("2026-02-03")}
    for _ in range(3):
        await lead(world, "a", "2026-02-01 10:00", **twin)
    await lead(world, "a", "2026-02-01 10:00", **{**twin, "class": "cold"})
    # Routed in one go, each with a beginning of its own.
    await lead(world, "b", "2026-02-01 10:00", created_at=at("2026-02-01 08:00"))
    await lead(world, "b", "2026-02-01 10:00", created_at=at("2026-02-01 08:01"))
    twice = (await counted(world, SLA, ("a", "b"), ("b",))).twice
    assert twice == (Some(2, ("a",)), Some())
    # One is taken out in the window, one only after the moment: until then it stood there.
    for name, out in (("lead-1", "2026-03-01"), ("lead-2", "2026-04-02")):
        sql = "update lead set excluded_at = $2, excluded_reason = 'duplicate' where source_id = $1"
        await world.conn.execute(sql, name, at(out))
    assert (await counted(world, SLA, ("a",))).twice == (Some(1, ("a",)),)


async def test_deals_stand_twice_over_one_amount(world: World) -> None:
    for amount in (500, 500, 700):
        closed = at("2026-02-10 12:00")
        await world.add(
            "opportunity",
            partner_id="a",
            qualified_at=at("2026-01-01"),
            closed_at=closed,
            closed_known_at=closed,
            outcome="won",
            amount=amount,
        )
    assert (await counted(world, VELOCITY, ("a",))).twice == (Some(1, ("a",)),)
    # Found to be of another amount only after the moment: until then they were alike.
    await world.amend("opportunity", "opportunity-2", "2026-04-02", amount=600)
    assert (await counted(world, VELOCITY, ("a",))).twice == (Some(1, ("a",)),)
    await world.conn.execute("update opportunity set amended_at = null where source_id = 'opportunity-2'")
    await world.conn.execute("delete from superseded.opportunity")
    assert (await counted(world, VELOCITY, ("a",))).twice == (Some(),)


# What was restated.


async def contacted(world: World) -> list[str]:
    """Four leads of the window contacted in time, as was known at once."""
    assigned, due, contact = at("2026-03-10"), at("2026-03-12"), at("2026-03-11")
    return [
        await world.add(
            "lead",
            partner_id="a",
            assigned_at=assigned,
            contact_due_at=due,
            first_contact_at=contact,
            known_at=assigned,
        )
        for _ in range(4)
    ]


async def value(world: World, *, as_told: bool) -> float:
    [[row]] = await read_rows(world.conn, SLA, [("a",)], window=Q1, as_of=Q1_END, as_told=as_told)
    assert row.denominator
    return 100 * (row.numerator or 0.0) / row.denominator


async def test_a_contact_that_moves_is_a_restatement_and_the_value_before_it_is_known(world: World) -> None:
    first, *_ = await contacted(world)
    await world.amend("lead", first, "2026-03-29", first_contact_at=at("2026-03-20"))
    assert (await counted(world, SLA, ("a",), ("b",))).restated == (Some(1, ("a",)), Some())
    assert (await value(world, as_told=True), await value(world, as_told=False)) == (100.0, 75.0)


async def test_a_contact_that_comes_is_no_restatement(world: World) -> None:
    open_lead = await world.add(
        "lead", partner_id="a", assigned_at=at("2026-03-10"), contact_due_at=at("2026-03-12"), known_at=at("2026-03-10")
    )
    await world.amend("lead", open_lead, "2026-03-29", first_contact_at=at("2026-03-28"))
    assert (await counted(world, SLA, ("a",))).restated == (Some(),)


async def test_what_was_restated_more_than_a_week_ago_or_later_than_asked_has_settled(world: World) -> None:
    first, second, *_ = await contacted(world)
    await world.amend("lead", first, "2026-03-20", first_contact_at=at("2026-03-20"))
    await world.amend("lead", second, "2026-04-02", first_contact_at=at("2026-03-20"))
    assert (await counted(world, SLA, ("a",))).restated == (Some(),)
    assert await value(world, as_told=True) == await value(world, as_told=False) == 75.0


async def test_of_several_restatements_the_first_says_what_was_told(world: World) -> None:
    first, *_ = await contacted(world)
    await world.amend("lead", first, "2026-03-28", first_contact_at=at("2026-03-20"))
    await world.amend("lead", first, "2026-03-29", first_contact_at=at("2026-03-21"))
    assert (await counted(world, SLA, ("a",))).restated == (Some(1, ("a",)),)
    assert await value(world, as_told=True) == 100.0


async def test_an_amount_that_changes_is_restated_and_its_day_counts_the_new_one(world: World) -> None:
    sale = await world.add("partner_transaction", partner_id="a", transaction_date=day("2026-03-03"), net_amount=100)
    await world.amend("partner_transaction", sale, "2026-03-30", net_amount=80)
    assert (await counted(world, MARGIN, ("a",))).restated == (Some(1, ("a",)),)
    assert await world.conn.fetchval("select sum(amount) from fact_day where facts_of = 'partner_transaction'") == 80


# Months.


async def test_months_are_sums_of_the_ledger_and_the_window_cuts_them(world: World) -> None:
    for when, amount, cost in (("2025-12-20", 100, 96), ("2026-01-20", 50, 80)):
        name = await world.add("partner_transaction", partner_id="a", transaction_date=day(when), net_amount=amount)
        await world.add("partner_cost", partner_id="a", transaction_id=name, amount=cost, recognised_on=day(when))
    found = (await counted(world, MARGIN, ("a",))).months
    assert [tuple(one) for one in found] == [
        (date(2025, 12, 1), False, "USD", 100.0, 96.0),
        (date(2026, 1, 1), True, "USD", 50.0, 80.0),
    ]


@pytest.mark.parametrize("metric", [one for one in MetricName if one not in (SLA, MARGIN, VELOCITY)])
async def test_metrics_of_states_and_those_added_later_are_counted_without_fail(
    world: World, metric: MetricName
) -> None:
    await world.add("partner", partner_id="a")
    found = await read_quality(world.conn, metric, (("a",), ()), Q1, days=7, periods=40)
    # Of churn the partner is the fact.
    had = int(metric is MetricName.PARTNER_CHURN)
    assert [one.gone for one in found.heard] == [Gone(had=had), Gone()]


SHARED = {LEAKAGE: MARGIN, ACCEPTANCE: SLA, MetricName.CERTIFIED_PARTNERS: MetricName.ENABLEMENT_COMPLETION}


@pytest.mark.parametrize("metric", SHARED)
async def test_what_is_counted_of_facts_that_two_metrics_read_is_the_same_of_both(
    world: World, metric: MetricName
) -> None:
    """Leads and revenue of two partners, one of whom has none lately; twins of a lead, and one line said anew."""
    for number, partner in enumerate("aabab"):
        sold = {"net_amount": 10, "transaction_date": day(f"2026-0{1 + number % 2}-1{number}")}
        await world.add("partner_transaction", partner_id=partner, source_id=f"t{number}", **sold)
        when = at(f"2026-02-1{number}")
        row: dict[str, Any] = {"assigned_at": when, "created_at": when, "accept_due_at": when, "contact_due_at": when}
        for source in ("crm", "other", "crm"):
            await world.add("lead", partner_id=partner, source_system=source, **row)
    for months in range(1, 4):
        told = at(f"2025-0{3 * months}-10")
        await world.add("lead", partner_id="c", assigned_at=told, known_at=told)
        await world.add("partner_transaction", partner_id="c", net_amount=10, transaction_date=told.date())
    person = await world.add("person", partner_id="a")
    course: dict[str, Any] = {"course_id": "basics", "assigned_at": at("2026-01-05"), "due_on": day("2026-03-01")}
    await world.add("enablement_assignment", partner_id="a", person_id=person, source_id="e", **course)
    await world.amend("enablement_assignment", "e", "2026-03-30", due_on=day("2026-02-01"))
    await world.amend("partner_transaction", "t0", "2026-03-30", net_amount=20)
    groups = (("a", "b", "c"), ("b",))
    one, other = [await counted(world, name, *groups) for name in (metric, SHARED[metric])]
    assert one._replace(months=()) == other._replace(months=())
    assert [some.facts for some in one.twice] == ([10, 4] if metric is ACCEPTANCE else [0, 0])
    assert [some.facts for some in one.restated] == ([0, 0] if metric is ACCEPTANCE else [1, 0])


async def test_what_a_cohort_tells_of_leads_and_revenue_is_the_same_for_all_that_read_them(world: World) -> None:
    await lead_of(world, "a", "2026-03-30 10:00", "2026-03-30 10:00", "crm")
    for attribution in ("sourced", "sourced", "influenced"):
        row: dict[str, Any] = {"net_amount": 1, "transaction_date": day("2026-03-30"), "attribution": attribution}
        await world.add("partner_transaction", partner_id="a", **row)
    found = {
        metric: await read_own_volumes(world.conn, metric, (("a",),), Q1_END.date(), days=7, periods=30)
        for metric in (LEAKAGE, ACCEPTANCE, MetricName.CERTIFIED_PARTNERS, MetricName.PARTNER_CHURN)
    }
    assert [[one.facts for one in of] for [of] in found.values()] == [[2], [1], [], []]


async def test_the_facts_behind_leakage_are_the_sales_that_most_was_given_away_of(world: World) -> None:
    """Given away are 40, of one half of a sale 30 of 60, and 5; a return and a line without a list value are none."""
    sold: dict[str, Any] = {"transaction_date": day("2026-02-01"), "partner_id": "a"}
    lines: dict[str, dict[str, Any]] = {
        "most": {"list_amount": 100, "net_amount": 60},
        "half": {"list_amount": 100, "discount_amount": 60, "net_amount": 40, "credit_share": 0.5},
        "least": {"list_amount": 100, "net_amount": 95},
        "list": {"list_amount": 100, "net_amount": 100},
        "net": {"net_amount": 10},
        "back": {"list_amount": -100, "net_amount": -20, "kind": "return"},
    }
    for name, row in lines.items():
        await world.add("partner_transaction", source_id=name, **sold, **row)
    found = await facts_behind(world.conn, LEAKAGE, ["a"], Q1, each=5)
    assert found == {"a": ("transaction most", "transaction half", "transaction least")}
    # Of churn the partner is the fact, and nothing stands behind it.
    assert await facts_behind(world.conn, MetricName.PARTNER_CHURN, ["a"], Q1, each=5) == {}


async def test_a_group_without_partners_has_nothing(world: World) -> None:
    found = await counted(world, SLA, ())
    assert (found.heard[0].gone, found.twice, found.restated) == (Gone(), (Some(),), (Some(),))
