"""Many groups of partners read at once give what each gives by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import asyncpg
import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from models.evidence import Window
from models.metric import MetricName
from store.metrics import (
    FEW,
    SO_FEW,
    planned,
    read_drivers,
    read_metric,
    read_metrics,
    read_planned,
    read_rows,
    read_sla,
)
from store.pool import prepare_connection
from store.world import WorldSpec, generate_world, roster
from tests.store.world import Q1, Q1_END, World, at

SLA, VELOCITY, MARGIN = (
    MetricName.LEAD_FOLLOW_UP_SLA,
    MetricName.PIPELINE_VELOCITY,
    MetricName.CONTRIBUTION_MARGIN,
)
SPEC = WorldSpec(start=date(2025, 1, 1), months=5, partners=36)
PARTNERS = tuple(one.partner_id for one in roster(SPEC))
MOMENTS = tuple(datetime(2025, 3, 3, 7, tzinfo=UTC) + timedelta(days=28 * step) for step in range(3))

# Every third fact said something else until a moment that lies before the last of the moments asked for.
_AMENDED = (
    "update lead set amended_at = '2025-04-15Z', contact_due_at = contact_due_at + interval '5 hours'",
    "update opportunity set amended_at = '2025-04-15Z', amount = amount * 2",
    "update partner_transaction set amended_at = '2025-04-15Z', credit_share = 0.5",
    "update partner_cost set amended_at = '2025-04-15Z', amount = amount / 3",
    "update mdf_request set amended_at = '2025-04-15Z', approved_amount = approved_amount / 2",
    "update mdf_claim set amended_at = '2025-04-15Z', paid_amount = paid_amount / 2",
    "update enablement_assignment set amended_at = '2025-04-15Z', due_on = due_on + 9",
    "update compliance_result set amended_at = '2025-04-15Z', outcome = 'fail', value = null",
    "update person set amended_at = '2025-04-15Z', active_to = '2025-04-10'",
)


@pytest.fixture(scope="module")
async def facts(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[asyncpg.Connection]:
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database together template {template_database}")
    await admin.close()
    conn = await asyncpg.connect(postgres.dsn_for("together"), server_settings={"timezone": "UTC"})
    await prepare_connection(conn)
    await generate_world(conn, SPEC)
    for amendment in _AMENDED:
        await conn.execute(f"{amendment} where known_at < '2025-04-15Z' and hashtext(source_id) % 3 = 0")
    yield conn
    await conn.close()


def groups_of(seed: int) -> list[tuple[str, ...]]:
    """Groups that overlap, one of nobody, one of a partner that nobody knows, one that names a partner twice."""
    chance = Random(seed)
    some = [tuple(chance.sample(PARTNERS, chance.choice((1, 4, 12)))) for _ in range(4)]
    return [*some, (), ("nobody",), (*some[0], *some[1], some[0][0])]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("metric", MetricName)
async def test_groups_read_together_are_what_each_is_alone(
    facts: asyncpg.Connection, metric: MetricName, seed: int
) -> None:
    chance = Random(seed)
    as_of, groups = chance.choice(MOMENTS), groups_of(seed)
    window = Window(start=as_of - timedelta(days=chance.choice((7, 28, 60))), end=as_of)
    alone = [await read_metric(facts, metric, partner_ids=one, window=window, as_of=as_of) for one in groups]
    together = await read_metrics(facts, metric, groups, window=window, as_of=as_of)
    assert together == tuple(alone)
    assert [len(one.rows) for one in together][4:6] == [0, 0]
    assert len(together[-1].rows) == len({row.partner_id for one in alone[:2] for row in one.rows}) > 0


@pytest.mark.parametrize("seed", range(3))
async def test_leads_behind_a_breach_read_together_are_what_each_group_has_alone(
    facts: asyncpg.Connection, seed: int
) -> None:
    groups, window = groups_of(seed), Window(start=MOMENTS[0], end=MOMENTS[-1])
    as_of = window.end
    alone = [await read_drivers(facts, [one], window=window, as_of=as_of, limit=4) for one in groups]
    together = await read_drivers(facts, groups, window=window, as_of=as_of, limit=4)
    assert together == tuple(found for [found] in alone)
    assert len(together[-1]) == 4


@pytest.mark.parametrize("seed", range(4))
async def test_the_sla_read_with_the_leads_behind_it_is_what_both_are_alone(
    facts: asyncpg.Connection, seed: int
) -> None:
    """Of the whole year and of a moment in between; groups that overlap, are empty, or of nobody there is."""
    groups = groups_of(seed)
    for as_of in (MOMENTS[-1], Random(seed).choice(MOMENTS)):
        window = Window(start=MOMENTS[0], end=as_of)
        rows = await read_rows(facts, SLA, groups, window=window, as_of=as_of)
        leads = await read_drivers(facts, groups, window=window, as_of=as_of, limit=7)
        async with facts.transaction(), planned(facts):
            found = await read_sla(facts, groups, window=window, as_of=as_of, limit=7)
            assert found[:2] == (rows, leads)
    assert await some_leads_are_late(facts, groups)


async def some_leads_are_late(facts: asyncpg.Connection, groups: Sequence[Collection[str]]) -> bool:
    """Otherwise nothing would have been compared."""
    window = Window(start=MOMENTS[0], end=MOMENTS[-1])
    found = await read_drivers(facts, groups, window=window, as_of=window.end, limit=7)
    return any(len({lead.partner_id for lead in of_group}) > 1 for of_group in found)


async def test_what_is_said_of_a_group_is_said_of_that_group(world: World) -> None:
    """Partner a stands in both: contacted after 2 hours, beside 4 in the first group and 10 in the second."""
    for partner, hours in (("a", 2), ("b", 4), ("c", 10)):
        assigned = at("2026-01-05 09:00")
        contacted = assigned + timedelta(hours=hours)
        due = assigned + timedelta(days=1)
        await world.add(
            "lead", partner_id=partner, assigned_at=assigned, contact_due_at=due, first_contact_at=contacted
        )
        # Won after 10, 20 and 50 days: the median of the first two is 15, of the first and the last 30.
        await world.add(
            "opportunity",
            partner_id=partner,
            qualified_at=at("2026-01-01"),
            closed_at=at("2026-01-01") + timedelta(days=5 * hours),
            outcome="won",
            amount=100,
        )
    groups = (("a", "b"), ("a", "c"))
    sla = await read_metrics(world.conn, SLA, groups, window=Q1, as_of=Q1_END)
    assert [{row.parts["contact_hours_median"] for row in one.rows} for one in sla] == [{3.0}, {6.0}]
    velocity = await read_metrics(world.conn, VELOCITY, groups, window=Q1, as_of=Q1_END)
    assert [{row.parts["cycle_median_days"] for row in one.rows} for one in velocity] == [{15.0}, {30.0}]


async def test_a_partner_in_two_groups_counts_their_facts_once_in_each(world: World) -> None:
    await world.add("partner_transaction", partner_id="a", transaction_date=at("2026-02-01").date(), net_amount=70)
    found = await read_metrics(world.conn, MARGIN, (("a",), ("a", "b"), ("b",)), window=Q1, as_of=Q1_END)
    assert [[row.denominator for row in one.rows] for one in found] == [[70.0], [70.0], []]


async def test_a_claim_against_another_partners_request_bears_the_copay_of_that_request(world: World) -> None:
    """Half of the 100 claimed is the partner's own; who was promised the money is not asked about."""
    decided = {"decision": "approved", "approved_amount": 100, "submitted_at": at("2026-02-01")}
    await world.add(
        "mdf_request",
        request_id="of-b",
        partner_id="b",
        requested_amount=100,
        copay_share=0.5,
        decided_at=at("2026-02-02"),
        **decided,
    )
    await world.add(
        "mdf_claim", partner_id="a", request_id="of-b", claimed_amount=100, decided_at=at("2026-02-03"), **decided
    )
    [alone] = await read_metrics(world.conn, MetricName.MDF_SPEND, (("a",),), window=Q1, as_of=Q1_END)
    assert [row.parts["unbudgeted"] for row in alone.rows] == [50.0]


@pytest.mark.parametrize("metric", MetricName)
async def test_how_a_read_is_planned_changes_no_number_and_nothing_after_it(
    facts: asyncpg.Connection, metric: MetricName, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, groups = Window(start=MOMENTS[0], end=MOMENTS[-1]), groups_of(9)
    async with facts.transaction():
        as_planned = await read_metrics(facts, metric, groups, window=window, as_of=window.end)
        left = await facts.fetchval("select current_setting('enable_nestloop') || current_setting('enable_mergejoin')")
    monkeypatch.setattr("store.metrics._READING", "select 1")
    as_it_likes = await read_metrics(facts, metric, groups, window=window, as_of=window.end)
    assert as_planned == as_it_likes
    assert left == "onon"


async def test_few_partners_are_read_by_one_process_and_many_with_helpers(facts: asyncpg.Connection) -> None:
    """What was set for the read does not outlast it."""
    helpers = "select current_setting('max_parallel_workers_per_gather')"
    usual = await facts.fetchval(helpers)
    assert usual != "0"
    async with facts.transaction():
        for partners, expected in ((FEW, "0"), (FEW + 1, usual), (None, usual)):
            async with planned(facts, partners):
                assert await facts.fetchval(helpers) == expected
            assert await facts.fetchval(helpers) == usual


async def test_a_session_plans_once_what_it_reads_of_so_few_partners(facts: asyncpg.Connection) -> None:
    """And anew whatever it reads of more: what is planned once is planned for few."""
    how = "select current_setting('plan_cache_mode')"
    for partners, expected in ((SO_FEW, "generic"), (SO_FEW + 1, "custom"), (None, "custom")):
        async with facts.transaction(), planned(facts, partners):
            assert await facts.fetchval(how) == f"force_{expected}_plan"
    assert await facts.fetchval(how) == "auto"


@pytest.mark.parametrize("metric", list(MetricName))
@pytest.mark.parametrize("seed", range(2))
async def test_what_was_planned_once_reads_the_same_of_other_partners_at_another_moment(
    facts: asyncpg.Connection, metric: MetricName, seed: int
) -> None:
    for step, as_of in enumerate(MOMENTS):
        groups, window = groups_of(seed + step), Window(start=as_of - timedelta(days=7 + 30 * step), end=as_of)
        found = []
        for asked in (SO_FEW, None):
            async with facts.transaction(), planned(facts, asked):
                found.append(await read_planned(facts, metric, groups, window=window, as_of=as_of))
        assert found[0] == found[1]


async def test_a_read_outside_a_transaction_is_planned_like_one_inside(facts: asyncpg.Connection) -> None:
    settings = "select current_setting('enable_nestloop') || current_setting('plan_cache_mode')"
    async with facts.transaction(), planned(facts):
        inside = await facts.fetchval(settings)
    async with planned(facts):
        outside = await facts.fetchval(settings)
    assert inside == outside == "offforce_custom_plan"
    assert await facts.fetchval(settings) == "onauto"
    assert not facts.is_in_transaction()
