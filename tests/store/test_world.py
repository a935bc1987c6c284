"""The synthetic world: the same for a seed, healthy in all six metrics, and bad only where a slump was planted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from statistics import fmean

import asyncpg
import pytest
from pydantic import ValidationError

from deploy.embedded.postgres import EmbeddedPostgres
from judgement.values import group_value
from models.evidence import GroupValue, Window
from models.metric import MetricName
from models.plan import Selector
from store import world
from store.intake.kinds import KINDS
from store.metrics import read_metric
from store.pool import prepare_connection
from store.world import Slump, WorldExistsError, WorldReport, WorldSpec, generate_world, roster
from store.world_leads import business_deadline
from store.world_partners import slumping
from store.world_rows import COLUMNS
from tests.store.states import STATES

Connection = asyncpg.Connection

START = date(2024, 10, 1)
PARTS = ("opportunity_reopening", "opportunity_stage", "lead_event")
"""What belongs to a deal or a lead, and names no partner itself."""

PILOT = tuple(f"p-{number:03}" for number in range(1, 25))
OTHERS = tuple(f"p-{number:03}" for number in range(101, 125))
SMALL = tuple(f"p-{number:03}" for number in range(201, 221))
SLUMP = Slump(partners=PILOT, start=datetime(2025, 7, 1, tzinfo=UTC), end=datetime(2025, 8, 10, tzinfo=UTC), depth=45)
SPEC = WorldSpec(start=START, months=15, partners=240, slumps=(SLUMP,))
TINY = WorldSpec(start=START, months=2, partners=12)

# Moments spread over days of the month, of the week and of the fund period.
MOMENTS = tuple(datetime(2025, 1, 7, 6, tzinfo=UTC) + timedelta(days=39 * step) for step in range(9))
HEALTHY = {
    MetricName.CONTRIBUTION_MARGIN: (24.0, 32.0),
    MetricName.COMPLIANCE_SCORE: (90.0, 99.0),
    MetricName.MDF_SPEND: (80.0, 112.0),
    MetricName.ENABLEMENT_COMPLETION: (86.0, 97.0),
    MetricName.LEAD_FOLLOW_UP_SLA: (88.0, 99.5),
    MetricName.LEAD_ACCEPTANCE: (79.0, 90.0),
}


async def connect(postgres: EmbeddedPostgres, template: str, name: str) -> Connection:
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database {name} template {template}")
    await admin.close()
    conn = await asyncpg.connect(postgres.dsn_for(name), server_settings={"timezone": "UTC"})
    await prepare_connection(conn)
    return conn


@pytest.fixture(scope="module")
async def whole(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Connection]:
    conn = await connect(postgres, template_database, "whole_world")
    await generate_world(conn, SPEC)
    yield conn
    await conn.close()


@pytest.fixture
async def empty(database: str) -> AsyncIterator[Connection]:
    conn = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
    await prepare_connection(conn)
    yield conn
    await conn.close()


async def measured(
    conn: Connection, metric: MetricName, partners: Sequence[str], as_of: datetime, days: int = 28
) -> GroupValue:
    window = Window(start=as_of - timedelta(days=days), end=as_of)
    return group_value(metric, (await read_metric(conn, metric, partner_ids=partners, window=window, as_of=as_of)).rows)


async def contents(conn: Connection) -> dict[str, str]:
    """A fingerprint of every table of the world."""
    return {
        table: await conn.fetchval(
            f"select coalesce(md5(string_agg((to_jsonb(t) - 'recorded_at')::text, '' order by source_id)), '')"  # noqa: S608
            f" from {table} t"
        )
        for table in COLUMNS
    }


@pytest.mark.parametrize("metric", HEALTHY)
@pytest.mark.parametrize(("partners", "days"), [(OTHERS, 28), (OTHERS, 90), (SMALL, 28)], ids=["28d", "90d", "20x28d"])
async def test_a_cohort_stays_well_clear_of_its_thresholds(
    whole: Connection, metric: MetricName, partners: tuple[str, ...], days: int
) -> None:
    low, high = HEALTHY[metric]
    for as_of in MOMENTS:
        value = (await measured(whole, metric, partners, as_of, days)).value
        assert value is not None
        assert low <= value <= high, f"{as_of:%Y-%m-%d}"


@pytest.mark.parametrize(("partners", "days", "band"), [(OTHERS, 28, 20), (OTHERS, 90, 10), (SMALL, 28, 20)])
async def test_velocity_keeps_its_level(whole: Connection, partners: tuple[str, ...], days: int, band: float) -> None:
    found = [await measured(whole, MetricName.PIPELINE_VELOCITY, partners, as_of, days) for as_of in MOMENTS]
    values = [one.value for one in found if one.value is not None]
    assert len(values) == len(MOMENTS)
    assert max(abs(100 * value / fmean(values) - 100) for value in values) < band
    assert not any(one.parts["immature"] for one in found)


async def test_there_are_enough_leads_to_judge(whole: Connection) -> None:
    for as_of in MOMENTS:
        value = await measured(whole, MetricName.LEAD_FOLLOW_UP_SLA, OTHERS, as_of)
        assert (value.denominator or 0) >= 150


async def test_the_planted_slump_shows_in_its_cohort_and_nowhere_else(whole: Connection) -> None:
    sla = MetricName.LEAD_FOLLOW_UP_SLA
    inside, before = SLUMP.end, SLUMP.start
    slumped = (await measured(whole, sla, PILOT, inside)).value
    assert slumped is not None
    assert slumped < 70
    for partners, as_of in ((PILOT, before), (OTHERS, inside), (SMALL, inside), (PILOT, inside + timedelta(days=28))):
        value = (await measured(whole, sla, partners, as_of)).value
        assert value is not None
        assert value > 85


async def test_a_slump_can_be_seen_coming(whole: Connection) -> None:
    """It shows day by day as it would have been known, not from the moment it was planted."""
    early = await measured(whole, MetricName.LEAD_FOLLOW_UP_SLA, PILOT, SLUMP.start + timedelta(days=2))
    later = await measured(whole, MetricName.LEAD_FOLLOW_UP_SLA, PILOT, SLUMP.start + timedelta(days=14))
    assert early.value is not None
    assert later.value is not None
    assert early.value > 88 > later.value


async def test_other_metrics_of_the_slumped_cohort_stay_healthy(whole: Connection) -> None:
    """Who does not call does not accept either."""
    for metric, (low, high) in HEALTHY.items():
        if metric not in (MetricName.LEAD_FOLLOW_UP_SLA, MetricName.LEAD_ACCEPTANCE):
            value = (await measured(whole, metric, PILOT, SLUMP.end)).value
            assert value is not None
            assert low <= value <= high


# The list of partners was made once: it is as old as the world.
@pytest.mark.parametrize("metric", [metric for metric in MetricName if metric is not MetricName.PARTNER_CHURN])
async def test_the_facts_are_fresh_at_every_moment(whole: Connection, metric: MetricName) -> None:
    for as_of in MOMENTS:
        window = Window(start=as_of - timedelta(days=28), end=as_of)
        found = await read_metric(whole, metric, partner_ids=OTHERS, window=window, as_of=as_of)
        assert found.data_through is not None
        assert as_of - timedelta(days=3) <= found.data_through <= as_of


@pytest.mark.parametrize(
    ("table", "event"),
    [
        ("lead", "assigned_at"),
        ("opportunity", "registered_at"),
        ("partner_transaction", "transaction_date::timestamp"),
        ("partner_cost", "recognised_on::timestamp"),
        ("mdf_request", "submitted_at"),
        ("mdf_claim", "submitted_at"),
        ("enablement_assignment", "assigned_at"),
        ("compliance_result", "assessed_at"),
        ("lead_event", "at"),
        ("opportunity_stage", "entered_at"),
        ("opportunity_reopening", "closed_at"),
        ("compliance_waiver", "valid_from::timestamp"),
    ],
)
async def test_nothing_is_known_before_it_happens(whole: Connection, table: str, event: str) -> None:
    early = await whole.fetchval(f"select count(*) from {table} where known_at < {event}")  # noqa: S608
    assert early == 0


async def test_every_state_of_a_fact_is_in_the_world(whole: Connection) -> None:
    asked = [state.split(": ") for state in STATES]
    found = [
        await whole.fetchval(f"select exists (select from {table} where {condition})")  # noqa: S608
        for table, condition in asked
    ]
    assert [state for state, there in zip(STATES, found, strict=True) if not there] == []


async def test_nobody_was_paid_more_than_was_due(whole: Connection) -> None:
    value = await measured(whole, MetricName.MDF_SPEND, OTHERS, MOMENTS[-1], 90)
    assert value.parts["paid"]
    assert (value.parts["overpaid_claims"], value.parts["duplicate_invoices"], value.parts["late_claims"]) == (0, 0, 0)


async def test_what_a_usual_world_lacks_is_named(whole: Connection) -> None:
    tables = {spec.table for spec in KINDS.values()}
    empty = {one for one in tables if not await whole.fetchval(f"select exists (select from {one})")}  # noqa: S608
    assert empty == {"holiday", "lead_pause"}


async def test_changes_are_known_after_they_happen(whole: Connection) -> None:
    columns = await whole.fetch(
        "select table_name as table, left(column_name, -9) as stem from information_schema.columns"
        " where column_name like '%\\_known\\_at' and table_schema = 'public'"
    )
    for table, stem in columns:
        wrong = await whole.fetchval(f"select count(*) from {table} where {stem}_known_at < {stem}_at")  # noqa: S608
        assert wrong == 0, f"{table}.{stem}_at"


async def test_the_world_is_as_large_as_asked_for(whole: Connection) -> None:
    counts = {row["tier"]: row["n"] for row in await whole.fetch("select tier, count(*) as n from partner group by 1")}
    assert sum(counts.values()) == 240
    assert counts["silver"] > counts["gold"] > counts["platinum"] >= 20
    first = await whole.fetchval("select min(assigned_at) from lead")
    last = await whole.fetchval("select max(assigned_at) from lead")
    assert first - SPEC.starts_at <= timedelta(days=2)
    assert timedelta(0) < SPEC.ends_at - last <= timedelta(days=2)
    leaving = await whole.fetchval("select count(*) from partner where active_to is not null")
    joining = await whole.fetchval("select count(*) from partner where active_from >= $1", SPEC.start)
    assert 1 <= leaving <= 15
    assert 1 <= joining <= 20


async def test_a_seed_gives_the_same_world_and_another_seed_another(
    postgres: EmbeddedPostgres, template_database: str
) -> None:
    found: list[dict[str, str]] = []
    reports: list[WorldReport] = []
    for number, spec in enumerate((TINY, TINY, TINY.model_copy(update={"seed": 2}))):
        conn = await connect(postgres, template_database, f"tiny_world_{number}")
        reports.append(await generate_world(conn, spec))
        found.append(await contents(conn))
        await conn.close()
    assert found[0] == found[1]
    assert reports[0] == reports[1]
    assert all(reports[0].rows[table] > 0 for table in COLUMNS)
    same = {table for table in COLUMNS if found[0][table] == found[2][table]}
    assert same == {"business_calendar", "lead_policy", "enablement_course", "compliance_check", "rebate_run"}


async def test_a_plain_world_is_what_it_always_was(empty: Connection) -> None:
    """Whoever made a world from a seed finds it again: what a seed gives has changed once this number does."""
    await generate_world(empty, TINY)
    tables = [
        await empty.fetchval(
            "select coalesce(string_agg(jsonb_strip_nulls(to_jsonb(t) - 'recorded_at')::text, ''"  # noqa: S608
            f" order by source_id collate \"C\"), '') from {table} t"
        )
        for table in COLUMNS
    ]
    assert sha256("\n".join(tables).encode()).hexdigest()[:16] == "b649075f055aa435"


async def test_a_slump_moves_nothing_but_the_leads_of_its_partners(empty: Connection, database: str) -> None:
    async def leads(slumps: tuple[Slump, ...]) -> tuple[dict[str, str], dict[str, set[tuple[object, ...]]]]:
        transaction = empty.transaction()
        await transaction.start()
        await generate_world(empty, TINY.model_copy(update={"slumps": slumps}))
        rows = await empty.fetch(
            "select partner_id, source_id, assigned_at, contact_due_at, first_contact_at from lead"
        )
        tables = await contents(empty)
        await transaction.rollback()
        by_partner: dict[str, set[tuple[object, ...]]] = {}
        for row in rows:
            by_partner.setdefault(row["partner_id"], set()).add(tuple(row))
        return tables, by_partner

    slump = Slump(partners=("p-003",), start=TINY.starts_at, end=TINY.ends_at, depth=60)
    (calm, calm_leads), (hit, hit_leads) = await leads(()), await leads((slump,))
    assert {table for table in COLUMNS if calm[table] != hit[table]} == {"lead"}
    assert {one for one in calm_leads if calm_leads[one] != hit_leads[one]} == {"p-003"}
    # The same leads arrive with the same deadlines; only what became of them differs.
    assert {row[:4] for row in calm_leads["p-003"]} == {row[:4] for row in hit_leads["p-003"]}


async def test_a_second_world_is_refused_and_the_first_stays(empty: Connection) -> None:
    await generate_world(empty, TINY)
    before = await contents(empty)
    with pytest.raises(WorldExistsError):
        await generate_world(empty, TINY.model_copy(update={"seed": 2}))
    assert await contents(empty) == before


async def test_a_slump_of_unknown_partners_is_refused(empty: Connection) -> None:
    slump = Slump(partners=("p-003", "p-999"), start=TINY.starts_at, end=TINY.ends_at, depth=60)
    with pytest.raises(ValueError, match="the world has no partner p-999"):
        await generate_world(empty, TINY.model_copy(update={"slumps": (slump,)}))
    assert await empty.fetchval("select count(*) from partner") == 0


def test_a_slump_selects_as_a_plan_does() -> None:
    partners = roster(SPEC)
    select = Selector(tier=("silver", "gold"), region=("emea",), limit=24)
    slump = Slump(select=select, start=SPEC.starts_at, end=SPEC.ends_at, depth=10)
    chosen = slumping(slump, partners)
    fitting = [one.partner_id for one in partners if one.tier in select.tier and one.region == "emea"]
    assert chosen == frozenset(sorted(fitting)[:24])
    with pytest.raises(ValueError, match="selects no partner"):
        slumping(slump.model_copy(update={"select": Selector(tier=("tin",))}), partners)


@pytest.mark.parametrize("change", [{"partners": ()}, {"depth": 0.0}, {"end": SLUMP.start}, {"select": Selector()}])
def test_an_impossible_slump_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Slump.model_validate({**SLUMP.model_dump(), **change})


async def facts_of(conn: Connection, spec: WorldSpec, partners: Sequence[str]) -> dict[str, set[str]]:
    """Every fact about these partners, and those that are about nobody, in a world that is taken back again."""
    transaction = conn.transaction()
    await transaction.start()
    await generate_world(conn, spec)
    found: dict[str, set[str]] = {}
    for table in COLUMNS:
        about = "partner_id" if "partner_id" in COLUMNS[table] else "left(source_id, 5)" if table in PARTS else None
        rows = await conn.fetch(
            f"select to_jsonb(t) - 'recorded_at' as row from {table} t"  # noqa: S608
            + (f" where {about} = any($1)" if about else ""),
            *([list(partners)] if about else []),
        )
        found[table] = {str(row["row"]) for row in rows}
    await transaction.rollback()
    return found


async def test_more_partners_leave_the_facts_of_the_others_as_they_were(empty: Connection) -> None:
    names = [one.partner_id for one in roster(TINY)]
    few = await facts_of(empty, TINY, names)
    many = await facts_of(empty, TINY.model_copy(update={"partners": 19}), names)
    assert all(few[table] for table in COLUMNS)
    # A budget is what all are allotted together.
    assert [table for table in COLUMNS if few[table] != many[table]] == ["mdf_budget"]


async def test_where_a_portion_ends_says_nothing_about_the_facts(
    empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def made(smallest: int, largest: int) -> tuple[dict[str, str], list[tuple[int, int]]]:
        monkeypatch.setattr(world, "_SMALLEST", smallest)
        monkeypatch.setattr(world, "_LARGEST", largest)
        steps: list[tuple[int, int]] = []
        transaction = empty.transaction()
        await transaction.start()
        await generate_world(empty, TINY, lambda *step: steps.append(step))
        found = await contents(empty)
        await transaction.rollback()
        return found, steps

    whole, one_step = await made(10**9, 10**9)
    by_partner, steps = await made(1, 1)
    assert whole == by_partner
    assert one_step == [(12, 12)]
    assert steps == [(number, 12) for number in range(1, 13)]


def test_a_portion_holds_a_bounded_number_of_rows() -> None:
    spec = WorldSpec(start=START, months=1, partners=2000, leads=0, deals=0, sales=0)
    most = max(portion.rows.count for portion in world._portions(spec, (), {}))
    assert most < world._LARGEST + 1000


async def test_what_happens_can_be_made_more_or_less(empty: Connection) -> None:
    usual = await facts_of(empty, TINY, PILOT)
    busy = await facts_of(empty, TINY.model_copy(update={"leads": 22, "deals": 0}), PILOT)
    assert {table for table in COLUMNS if usual[table] != busy[table]} == {"lead", "opportunity", *PARTS}
    assert 1.7 < len(busy["lead"]) / len(usual["lead"]) < 2.3
    assert not busy["opportunity"]
    quiet = await facts_of(empty, TINY.model_copy(update={"leads": 0, "sales": 0}), PILOT)
    sold = ("partner_transaction", "partner_cost", "mdf_allocation", "mdf_request", "mdf_claim")
    gone = ("lead", "lead_event", *sold)
    assert [table for table in COLUMNS if not quiet[table]] == [table for table in COLUMNS if table in gone]


async def test_a_world_that_is_stopped_on_the_way_leaves_nothing(empty: Connection, database: str) -> None:
    told = asyncio.Event()
    making = asyncio.create_task(
        generate_world(empty, TINY.model_copy(update={"partners": 5000}), lambda *_: told.set())
    )
    await told.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    look = await asyncpg.connect(database)
    found = [await look.fetchval(f"select count(*) from {table}") for table in (*COLUMNS, "intake_run")]  # noqa: S608
    await look.close()
    assert found == [0] * len(found)


async def test_a_world_is_in_the_ledger_with_each_of_its_kinds(empty: Connection) -> None:
    report = await generate_world(empty, TINY)
    rows = await empty.fetch("select kind, source, origin, rows_new, through_at from intake_run")
    assert sorted(row["rows_new"] for row in rows) == sorted(report.rows.values())
    assert {(row["source"], row["origin"]) for row in rows} == {("synthetic", "generated")}
    through = {row["kind"]: row["through_at"] for row in rows}
    assert (through["leads"], through["partners"]) == (TINY.ends_at, None)


def test_more_partners_leave_the_roster_as_it_was() -> None:
    assert roster(SPEC)[:12] == roster(SPEC.model_copy(update={"partners": 12}))
    assert len({one.name for one in roster(SPEC)}) == 240


@pytest.mark.parametrize(
    ("assigned", "hours", "due"),
    [
        ("2025-03-03 10:00", 4, "2025-03-03 14:00"),
        ("2025-03-03 15:00", 4, "2025-03-04 11:00"),
        ("2025-03-03 07:30", 8, "2025-03-03 17:00"),
        ("2025-03-07 16:00", 8, "2025-03-10 16:00"),
        ("2025-03-08 11:00", 16, "2025-03-11 17:00"),
        ("2025-03-07 17:00", 1, "2025-03-10 10:00"),
    ],
)
def test_deadlines_count_business_hours(assigned: str, hours: int, due: str) -> None:
    assert business_deadline(datetime.fromisoformat(assigned), hours) == datetime.fromisoformat(due)
