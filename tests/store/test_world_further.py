"""What a synthetic world has only when it is asked for: days off, pauses, accrual funds, and facts put right later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from judgement.values import group_value
from models.contradiction import Contradiction
from models.evidence import Window
from models.metric import MetricName
from store.contradictions import find
from store.intake import import_file, parse_mapping
from store.intake.fields import FieldType
from store.intake.kinds import KINDS, FactKind, KindSpec
from store.metrics import read_metric
from store.world import Further, WorldReport, WorldSpec, generate_world, roster
from store.world_partners import COUNTRY_OF
from store.world_rows import COLUMNS, FURTHER_COLUMNS
from tests.store.test_world import Connection, connect

SPEC = WorldSpec(start=date(2024, 10, 1), months=4, partners=24)
EVERYTHING = frozenset(Further)
TABLES = tuple(spec.table for spec in KINDS.values())
PARTNERS = tuple(one.partner_id for one in roster(SPEC))
WITHIN = tuple(datetime(2024, 11, 20, 6, tzinfo=UTC) + timedelta(days=9 * step) for step in range(7))
AFTERWARDS = SPEC.ends_at + timedelta(days=300)
WINDOW = Window(start=SPEC.starts_at, end=SPEC.ends_at)
# Of what is reckoned, when that was done is not the world's.
# A close that was undone is known with its row, whether or not the row says so again.
SINCE = {
    "lead_clock": "'reckoned_at'",
    "public_holiday_year": "'taken_in_at'",
    "opportunity_reopening": "'closed_known_at'",
    "lead_contact_time": "'stands_since'",
}
# How long a contact took, as it is known in the end.
LATEST = {
    "lead_contact_time": "(select distinct on (source_id, first_contact_at) * from lead_contact_time"
    " order by source_id, first_contact_at, stands_since desc)"
}
RULES = {FactKind.OPPORTUNITY_REOPENINGS: "known: {after: closed_at, lag: 2h}\n"}


async def contents(conn: Connection) -> dict[str, list[str]]:
    """Every row of every table, what rows said before and what was reckoned of them included."""
    reckoned = ("lead_clock", "lead_contact_time", "public_holiday", "public_holiday_year")
    found = {}
    for table in (*TABLES, *(f"superseded.{table}" for table in TABLES), *reckoned):
        when, whole = SINCE.get(table, "'recorded_at'"), LATEST.get(table, table)
        rows = await conn.fetch(f"select (to_jsonb(t) - 'recorded_at' - {when})::text as row from {whole} t")  # noqa: S608
        found[table] = sorted(row["row"] for row in rows)
    return found


class Worlds:
    """Worlds made once each, by what they have."""

    def __init__(self, postgres: EmbeddedPostgres, template: str) -> None:
        self._postgres, self._template = postgres, template
        self._made: dict[frozenset[Further], tuple[Connection, WorldReport]] = {}

    async def empty(self, name: str) -> Connection:
        return await connect(self._postgres, self._template, name)

    async def made(self, *further: Further) -> Connection:
        return (await self._of(frozenset(further)))[0]

    async def report(self, *further: Further) -> WorldReport:
        return (await self._of(frozenset(further)))[1]

    async def _of(self, further: frozenset[Further]) -> tuple[Connection, WorldReport]:
        if further not in self._made:
            conn = await self.empty(f"further_{len(self._made)}")
            self._made[further] = conn, await generate_world(conn, SPEC.model_copy(update={"further": further}))
        return self._made[further]

    async def close(self) -> None:
        for conn, _ in self._made.values():
            await conn.close()


@pytest.fixture(scope="module")
async def worlds(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Worlds]:
    found = Worlds(postgres, template_database)
    yield found
    await found.close()


async def parts(conn: Connection, metric: MetricName, as_of: datetime) -> dict[str, dict[str, float | None]]:
    rows = (await read_metric(conn, metric, partner_ids=PARTNERS, window=WINDOW, as_of=as_of)).rows
    return {row.partner_id: {"numerator": row.numerator, "denominator": row.denominator, **row.parts} for row in rows}


async def test_the_same_seed_gives_the_same_world(worlds: Worlds) -> None:
    again = await worlds.empty("further_again")
    report = await generate_world(again, SPEC.model_copy(update={"further": EVERYTHING}))
    assert report == await worlds.report(*Further)
    assert await contents(again) == await contents(await worlds.made(*Further))
    await again.close()


CLOCKS = {"lead_clock", "lead_contact_time"}
CORRECTED = {
    *("partner_transaction", "partner_cost", "opportunity", "mdf_claim", "enablement_assignment"),
    *("compliance_result", "lead"),
}
MOVES = {
    Further.HOLIDAYS: {"business_calendar", "holiday", "lead", "lead_event", "public_holiday", "public_holiday_year"}
    | CLOCKS,
    Further.PAUSES: {"lead_pause", "lead", "superseded.lead"} | CLOCKS,
    Further.ACCRUALS: {
        *("mdf_budget", "mdf_allocation", "superseded.mdf_allocation", "mdf_request", "mdf_claim"),
    },
    Further.CORRECTIONS: CORRECTED | {f"superseded.{table}" for table in CORRECTED},
}


@pytest.mark.parametrize("further", Further)
async def test_each_leaves_alone_what_it_is_not_about(worlds: Worlds, further: Further) -> None:
    plain, found = await contents(await worlds.made()), await contents(await worlds.made(further))
    assert {table for table in plain if plain[table] != found[table]} == MOVES[further]


async def test_the_report_tells_what_says_something_else_later(worlds: Worlds) -> None:
    report, conn = await worlds.report(*Further), await worlds.made(*Further)
    kept = {table: await conn.fetchval(f"select count(*) from superseded.{table}") for table in TABLES}  # noqa: S608
    moved = await conn.fetchval("select count(*) from superseded.lead join lead_pause on lead_id = lead.source_id")
    assert moved
    kept["lead"] -= moved
    assert report.amended == {table: count for table, count in kept.items() if count}
    assert report.amended.keys() == CORRECTED | {"mdf_allocation"}
    assert (await worlds.report()).amended == {}
    assert set(report.rows) == set(TABLES)


def written(spec: KindSpec) -> list[str]:
    """What a source would say: deadlines are ours to reckon."""
    ours = {"policy_version", "accept_due_at", "contact_due_at"} if spec.kind is FactKind.LEADS else set()
    return [field.name for field in spec.fields if field.name not in ours]


def column(spec: KindSpec, name: str) -> str:
    if name == "known_at":
        return "coalesce(amended_at, known_at)::text as known_at"
    listed = spec.by_name[name].type in (FieldType.TEXTS, FieldType.HOURS)
    return f"array_to_string({name}, ';') as {name}" if listed else f"{name}::text as {name}"


async def exported(conn: Connection, spec: KindSpec, turn: int, file: Path) -> bool:
    """The `turn`-th thing that was said of each fact, as a file; whether there is any."""
    # The versions of a paused lead are what we made of the pause.
    said = "not exists (select from lead_pause p where p.lead_id = t.source_id)" if spec.table == "lead" else "true"
    names, query = written(spec), ", ".join(column(spec, name) for name in written(spec))
    every = ", ".join({*names, "source_id", "known_at", "amended_at"})
    versions = f"""
        select {query} from (
            select v.*, row_number() over (partition by source_id order by amended_at nulls first) as turn
            from (
                select {every} from {spec.table}
                union all
                select {every} from superseded.{spec.table} t where {said}
            ) v
        ) w where turn = {turn} order by source_id
    """  # noqa: S608 - our own names
    if spec.table == "lead" and turn == 1:
        versions = versions.replace("coalesce(amended_at, known_at)::text", "known_at::text")
    await conn.copy_from_query(versions, output=file, format="csv", header=True)
    with file.open(encoding="utf-8") as lines:
        return len(lines.readlines()) > 1


async def test_the_ordinary_intake_takes_it_in_whole_and_reckons_the_same(worlds: Worlds, tmp_path: Path) -> None:
    made, taken = await worlds.made(*Further), await worlds.empty("further_taken")
    for kind, spec in KINDS.items():
        fields = "".join(f"  {name}: {name}\n" for name in written(spec))
        mapping = parse_mapping(f"kind: {kind}\nsource_system: synthetic\nfields:\n{fields}{RULES.get(kind, '')}")
        for turn in (1, 2, 3):
            file = tmp_path / f"{spec.table}-{turn}.csv"
            if await exported(made, spec, turn, file):
                report = await import_file(taken, kind, file, mapping)
                assert report.rejected == 0, (kind, turn, report.first_reasons)
                assert report.rows_read == (report.inserted if turn == 1 else report.updated), (kind, turn)
    expected, found = await contents(made), await contents(taken)
    assert all(expected[table] for table in (*TABLES, *CLOCKS, "superseded.lead", "superseded.mdf_allocation"))
    for table in expected:
        # The intake takes a year of holidays in when a deadline first needs it.
        once_needed = table.startswith("public_holiday") and set(found[table]) < set(expected[table])
        assert once_needed or found[table] == expected[table], table
    for metric in MetricName:
        read = [await parts(conn, metric, WITHIN[3]) for conn in (taken, made)]
        for one in (row for rows in read for row in rows.values()):
            # Here the pauses came with the leads, there in a later file: what is known of opening hours until then.
            for name in [name for name in one if name.startswith("contact_business")]:
                del one[name]
        assert read[0] == read[1], metric
    await taken.close()


@pytest.mark.parametrize("metric", MetricName)
async def test_metrics_come_out_of_it(worlds: Worlds, metric: MetricName) -> None:
    conn = await worlds.made(*Further)
    for as_of in WITHIN[::3]:
        window = Window(start=as_of - timedelta(days=28), end=as_of)
        found = await read_metric(conn, metric, partner_ids=PARTNERS, window=window, as_of=as_of)
        assert group_value(metric, found.rows).value is not None


HEARD_WRONG = {
    MetricName.CONTRIBUTION_MARGIN: "partner_transaction",
    MetricName.DISCOUNT_LEAKAGE: "partner_transaction",
    MetricName.PIPELINE_VELOCITY: "opportunity",
    MetricName.LEAD_FOLLOW_UP_SLA: "lead",
    MetricName.MDF_SPEND: "mdf_claim",
    MetricName.ENABLEMENT_COMPLETION: "enablement_assignment",
    MetricName.COMPLIANCE_SCORE: "compliance_result",
}


@pytest.mark.parametrize("metric", MetricName)
async def test_what_is_told_wrong_is_read_right_in_the_end(worlds: Worlds, metric: MetricName) -> None:
    plain, corrected = await worlds.made(), await worlds.made(Further.CORRECTIONS)
    assert await parts(corrected, metric, AFTERWARDS) == await parts(plain, metric, AFTERWARDS)


@pytest.mark.parametrize("metric", HEARD_WRONG)
async def test_what_is_told_wrong_is_read_wrong_until_it_is_put_right(worlds: Worlds, metric: MetricName) -> None:
    plain, corrected = await worlds.made(), await worlds.made(Further.CORRECTIONS)
    moments = await corrected.fetch(
        f"select amended_at - interval '1 microsecond' as before from {HEARD_WRONG[metric]}"  # noqa: S608
        " where amended_at between $1 and $2 order by amended_at limit 8",
        SPEC.starts_at + timedelta(days=20),
        SPEC.ends_at,
    )
    assert moments
    read = [(await parts(corrected, metric, one[0]), await parts(plain, metric, one[0])) for one in moments]
    assert any(wrong != right for wrong, right in read)


async def test_a_sale_counts_as_it_was_known_at_each_moment(worlds: Worlds) -> None:
    conn = await worlds.made(Further.CORRECTIONS)
    sales = await conn.fetch(
        "select t.partner_id, t.amended_at, t.net_amount - was.net_amount as more"
        " from partner_transaction t join superseded.partner_transaction was using (source_system, source_id)"
        " where t.currency = 'USD' and t.kind = 'sale' and t.attribution = 'sourced' and t.credit_share = 1"
    )
    assert len(sales) >= 5
    for sale in sales:
        before, after = [
            (await parts(conn, MetricName.CONTRIBUTION_MARGIN, moment))[sale["partner_id"]]["net_revenue"]
            for moment in (sale["amended_at"] - timedelta(microseconds=1), sale["amended_at"])
        ]
        assert before is not None
        assert after == pytest.approx(before + float(sale["more"]))


async def test_every_correction_is_learnt_after_the_fact(worlds: Worlds) -> None:
    conn = await worlds.made(*Further)
    for table in sorted(CORRECTED):
        wrong = await conn.fetchval(f"select count(*) from {table} where amended_at <= known_at")  # noqa: S608
        some = await conn.fetchval(f"select count(*) from {table} where amended_at is not null")  # noqa: S608
        assert (wrong, some > 0) == (0, True), table


async def test_its_facts_contradict_each_other_in_what_is_drawn_so_alone(worlds: Worlds) -> None:
    """Half told wrong and all put right: of sales some are the partner's by a part, as in every world, and no more."""
    conn = await worlds.made(*Further)
    found = {one: (await find(conn, one, AFTERWARDS)).facts for one in Contradiction}
    assert {one for one, facts in found.items() if facts} == {Contradiction.SHARES_BELOW_ONE}
    short = await conn.fetchval("select count(*) from partner_transaction where credit_share < 1")
    assert found[Contradiction.SHARES_BELOW_ONE] == short


async def test_a_pause_moves_both_deadlines_from_when_it_is_known(worlds: Worlds) -> None:
    """Only an agreed one does; until then the lead was due as without it."""
    plain, paused = await worlds.made(), await worlds.made(Further.PAUSES)
    due = {
        row["source_id"]: row for row in await plain.fetch("select source_id, accept_due_at, contact_due_at from lead")
    }
    rows = await paused.fetch(
        "select l.source_id, p.reason, p.resumed_at, l.accept_due_at, l.contact_due_at, l.amended_at,"
        " (select contact_due_at from lead_as_of(p.known_at - interval '1 microsecond') w"
        "  where w.source_id = l.source_id) as before,"
        " (select contact_due_at from lead_as_of(p.known_at) w where w.source_id = l.source_id) as during"
        " from lead l join lead_pause p on p.lead_id = l.source_id"
    )
    agreed = [row for row in rows if row["reason"] == "waiting_for_customer"]
    assert len(agreed) > 20
    assert len(rows) > len(agreed)
    for row in rows:
        was = due[row["source_id"]]
        assert row["before"] == was["contact_due_at"]
        moved = row["amended_at"] is not None
        assert row["contact_due_at"] >= was["contact_due_at"]
        assert row["accept_due_at"] >= was["accept_due_at"]
        # Nobody is late while the clock stands; a pause outside opening hours takes nothing in the end.
        assert (row["during"] > was["contact_due_at"]) == moved == (row["reason"] == "waiting_for_customer")
    endless = [row for row in agreed if row["resumed_at"] is None]
    assert endless
    assert all(row["contact_due_at"] > due[row["source_id"]]["contact_due_at"] for row in endless)


async def test_no_lead_is_due_on_a_day_off(worlds: Worlds) -> None:
    conn = await worlds.made(Further.HOLIDAYS)
    off = {
        zone: {
            row["day"]
            for row in await conn.fetch(
                "select day from public_holiday where region = $1 and day not in"
                " (select day from holiday where calendar_id = $2 and not closed)"
                " union select day from holiday where calendar_id = $2 and closed",
                country,
                zone,
            )
        }
        for zone, country in COUNTRY_OF.items()
    }
    assert all(date(2024, 12, 24) in days and date(2025, 1, 1) in days for days in off.values())
    assert date(2024, 10, 14) not in off["America/New_York"]
    rows = await conn.fetch(
        "select p.calendar_id, l.contact_due_at, l.accept_due_at from lead l join partner p using (partner_id)"
    )
    for row in rows:
        for due in (row["contact_due_at"], row["accept_due_at"]):
            assert due.astimezone(ZoneInfo(row["calendar_id"])).date() not in off[row["calendar_id"]]
    plain = await (await worlds.made()).fetch("select source_id, contact_due_at from lead")
    with_days_off = {row["source_id"]: row["contact_due_at"] for row in await conn.fetch("select * from lead")}
    later = [row for row in plain if with_days_off[row["source_id"]] != row["contact_due_at"]]
    assert all(with_days_off[row["source_id"]] > row["contact_due_at"] for row in later)
    assert 0.03 < len(later) / len(plain) < 0.3


async def test_an_accrual_fund_grows_with_sales_and_is_never_overspent(worlds: Worlds) -> None:
    conn = await worlds.made(Further.ACCRUALS)
    assert not await conn.fetchval(
        "select count(*) from mdf_allocation a join mdf_budget b using (budget_id) join partner p"
        " on p.partner_id = a.partner_id where fund_type = 'accrual' and tier not in ('platinum', 'gold')"
    )
    fund = "accrual-2024-q4"
    for moment, months in ((datetime(2024, 11, 10, 18, tzinfo=UTC), 1), (datetime(2024, 12, 10, 18, tzinfo=UTC), 2)):
        for row in await conn.fetch(
            "select partner_id, amount from mdf_allocation_as_of($1) where budget_id = $2", moment, fund
        ):
            sold = await conn.fetchval(
                "select sum(net_amount * credit_share) from partner_transaction where partner_id = $1 and kind = 'sale'"
                " and attribution = 'sourced' and transaction_date >= $2"
                " and transaction_date < $2 + make_interval(months => $3)",
                row["partner_id"],
                SPEC.start,
                months,
            )
            rate = {one.partner_id: one.usd_per_unit for one in roster(SPEC)}[row["partner_id"]]
            assert float(row["amount"]) == pytest.approx(0.01 * float(sold) * rate, abs=0.1)
    over = await conn.fetch(
        "select allocation_id from mdf_allocation a join mdf_request r using (allocation_id)"
        " where a.budget_id like 'accrual%' group by 1, a.amount having sum(r.approved_amount) > a.amount"
    )
    assert over == []


async def test_what_it_is_written_in_is_what_the_tables_have(worlds: Worlds) -> None:
    conn = await worlds.made(*Further)
    for table in (*COLUMNS, *FURTHER_COLUMNS):
        assert await conn.fetchval(f"select exists (select from {table})"), table  # noqa: S608


def test_nothing_further_is_usual() -> None:
    assert SPEC.further == frozenset()
