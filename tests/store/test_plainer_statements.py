"""Five of the six metrics, read with as little work as possible, are what plainer statements say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import asyncpg
import pytest

import bench
from deploy.embedded.postgres import EmbeddedPostgres
from models.evidence import Window
from models.metric import MetricName
from store.metrics import planned, read_planned
from store.pool import prepare_connection
from store.world import WorldSpec, generate_world, roster
from tests.store.test_sla_reference import shown

MDF, ENABLEMENT = MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION
MARGIN, COMPLIANCE = MetricName.CONTRIBUTION_MARGIN, MetricName.COMPLIANCE_SCORE
VELOCITY = MetricName.PIPELINE_VELOCITY
SPEC = WorldSpec(start=date(2025, 1, 1), months=8, partners=18)
PARTNERS = tuple(one.partner_id for one in roster(SPEC))
ENDS = datetime(2025, 8, 1, tzinfo=UTC)
AMENDED = "amended_at = case when hashtext(source_id) % 2 = 0 and known_at < '2025-06-01' then date '2025-06-01' end"

# What a calm world has little of. $1 is the seed; each changes other rows with another one.
MDF_TROUBLE = (
    "update mdf_budget set claim_deadline = period_start + 40, fund_type = 'accrual' where {every 3}",
    "update mdf_request set allocation_id = null where {every 9}",
    "update mdf_request set allocation_id = (select allocation_id from mdf_allocation a"
    " order by md5(a.allocation_id || mdf_request.source_id) limit 1) where {every 6}",
    "update mdf_request set copay_share = 0.3, currency = 'USD', {amended} where {every 4}",
    "update mdf_request set decision = null, decided_at = null, decided_known_at = null where {every 12}",
    "update mdf_claim set request_id = (select request_id from mdf_request r"
    " order by md5(r.request_id || mdf_claim.source_id) limit 1) where {every 5}",
    "update mdf_claim set request_id = null where {every 7}",
    "update mdf_claim set invoice_ref = 'INV ' || abs(hashtext(source_id || $1)) % 30 where {every 3}",
    "update mdf_claim set paid_amount = paid_amount * 3, {amended} where {every 5} and paid_amount is not null",
    "update mdf_claim set settles_request = not settles_request where {every 4}",
    "update mdf_claim set currency = case when hashtext(source_id) % 3 = 0 then 'XTS' else 'USD' end where {every 8}",
    "update mdf_claim set withdrawn_at = submitted_at + interval '9 days' where {every 6} and paid_at is null",
)
COURSE_TROUBLE = (
    "delete from enablement_course where $1::text is not null",
    "insert into enablement_course"
    " (course_id, version, effective_from, validity_days, source_system, source_id, known_at)"
    " select course_id, version, date '2024-11-01' + abs(hashtext(course_id || version || $1)) % 240,"
    " nullif(abs(hashtext(course_id || version || $1)) % 4, 0) * 20, 'test', course_id || version,"
    " '2025-01-01Z'::timestamptz + version * interval '40 days'"
    " from (select distinct course_id from enablement_assignment) as courses, generate_series(1, 4) as version",
    "update enablement_course set validity_days = 15, amended_at = '2025-06-20Z' where {every 3}",
    "update enablement_assignment set valid_until = null where {every 2}",
    "update enablement_assignment set course_version = 1 + abs(hashtext(source_id)) % 5, {amended} where {every 3}",
    # Of few people and courses, so that many are of one: of other partners' people as well.
    "update enablement_assignment set person_id = (select person_id from person p"
    " order by md5(p.person_id || enablement_assignment.source_id) limit 1) where {every 8}",
    "update enablement_assignment set course_id = (select min(course_id) from enablement_course) where {every 3}",
    "update enablement_assignment set due_on = due_on + 90, {amended} where {every 4}",
    "update enablement_assignment set previous_due_on = due_on - 45, due_changed_at = assigned_at + interval '20 days'"
    " where {every 5}",
    "update enablement_assignment set withdrawn_at = assigned_at + interval '15 days' where {every 9}",
    "update enablement_assignment set passed = false where {every 7}",
    "update person set active_to = '2025-06-01', {amended} where {every 6}",
    "update person set active_from = '2025-06-20', active_to = null where {every 7}",
    "update partner set active_from = '2025-06-25', active_to = null where {every 8}",
)
MARGIN_TROUBLE = (
    "update partner_transaction set known_at = known_at + interval '25 days' where {every 9}",
    "update partner_transaction set credit_share = 0.5, {amended} where {every 3}",
    "update partner_transaction set attribution = 'influenced' where {every 7}",
    "update partner_transaction set currency = case when hashtext(source_id) % 3 = 0 then 'XTS' else 'EUR' end"
    " where {every 8}",
    # Of others than the first partner: half too much, just enough and not enough.
    "insert into partner_transaction (source_system, source_id, transaction_id, partner_id, credit_share, attribution,"
    " kind, transaction_date, net_amount, currency, known_at)"
    " select source_system, source_id || '/2', transaction_id, other.partner_id,"
    " (array[1, 0.5, 0.500001, 0.500002])[1 + abs(hashtext(source_id)) % 4], case when hashtext(source_id) % 5 = 0"
    " then 'influenced' else 'sourced' end, kind, transaction_date, net_amount, currency, known_at"
    " from partner_transaction t cross join lateral (select partner_id from partner p"
    " where p.partner_id <> t.partner_id order by md5(p.partner_id || t.source_id) limit 1) as other where {every 6}"
    " on conflict do nothing",
    "update partner_cost set attribution = 'influenced' where {every 7}",
    "update partner_cost set credit_share = 0.3, currency = 'EUR', {amended} where {every 5}",
    "update partner_cost set currency = 'XTS' where {every 40}",
    "update mdf_claim set currency = 'EUR' where {every 4}",
    "delete from partner_cost where kind = 'rebate' and hashtext(partner_id || $1) % 3 = 0",
    "delete from rebate_run where {every 2}",
)
COMPLIANCE_TROUBLE = (
    "update compliance_check set types = array[(select type from partner order by md5(type || $1) limit 1)]"
    " where {every 5}",
    "update compliance_check set tiers = array['gold', 'platinum'], validity_days = 40, grace_days = 5 where {every 4}",
    "insert into compliance_check (check_id, version, severity, weight, critical, validity_days, effective_from,"
    " source_system, source_id, known_at) select check_id, version + 1, 'low', weight * 1.37, not critical,"
    " nullif(abs(hashtext(check_id || $1)) % 3, 0) * 45, '2025-04-01', 'test', check_id, '2025-04-20Z'"
    " from compliance_check where {every 2} on conflict do nothing",
    "update compliance_check set retired_on = '2025-07-01' where {every 9}",
    "update compliance_result set version = 2 where {every 3} and exists (select from compliance_check c"
    " where c.check_id = compliance_result.check_id and c.version = 2)",
    "update compliance_result set outcome = (array['pass', 'fail', 'inconclusive', 'not_applicable'])"
    "[1 + abs(hashtext(source_id || $1)) % 4], value = null, {amended} where {every 3}",
    "update compliance_result set outcome = 'partial', value = 0.37, amended_at = '2025-07-28Z' where {every 11}",
    "update compliance_result set valid_until = assessed_at::date + 20 where {every 6}",
    # At one instant, and some of these known at one as well: then the name decides.
    "insert into compliance_result (source_system, source_id, partner_id, check_id, version, outcome, assessed_at,"
    " known_at) select 'test', source_id || '/2', partner_id, check_id, version, 'fail', assessed_at,"
    " known_at + (abs(hashtext(source_id)) % 2) * interval '1 hour' from compliance_result where {every 4}",
    "delete from compliance_result where hashtext(partner_id || check_id || $1) % 4 = 0",
    "insert into compliance_waiver (source_system, source_id, partner_id, check_id, approved_by, reason, valid_from,"
    " valid_until, known_at) select 'test', partner_id || check_id, partner_id, check_id, 'somebody', 'new',"
    " '2025-03-01', '2025-09-01', '2025-03-01Z' from partner, (select distinct check_id from compliance_check) as c"
    " where hashtext(partner_id || check_id || $1) % 6 = 0",
)
VELOCITY_TROUBLE = (
    "update opportunity set qualified_at = null where {every 9}",
    "update opportunity set qualified_at = qualified_at + interval '70 days' where {every 7}",
    "update opportunity set origin = 'influenced' where {every 11}",
    "update opportunity set outcome = (array['cancelled', 'duplicate'])[1 + abs(hashtext(source_id)) % 2], {amended}"
    " where {every 8} and closed_at is not null",
    "update opportunity set closed_known_at = closed_at + interval '20 days' where {every 5} and closed_at is not null",
    "update opportunity set currency = case when hashtext(source_id) % 3 = 0 then 'XTS' else 'EUR' end where {every 4}",
    "update opportunity set closed_at = null, closed_known_at = null, outcome = null,"
    " last_activity_at = known_at + interval '90 days' where {every 6}",
    # Closed before, and opened again since: some of it learned late, some at the very close that the row still says.
    "insert into opportunity_reopening (source_system, source_id, opportunity_id, closed_at, outcome, amount,"
    " reopened_at, reopened_known_at, known_at) select source_system, source_id || '/' || nth, source_id, at,"
    " case when hashtext(source_id) % 3 = 0 then 'lost' else 'won' end, 777.77, at + interval '15 days' * nth,"
    " case when hashtext(source_id) % 2 = 0 then at + interval '60 days' end, known_at"
    " from opportunity, generate_series(1, 2) as nth, lateral (select coalesce(closed_at, known_at + interval '40"
    " days') - interval '30 days' * (abs(hashtext(source_id || nth)) % 3) as at) as before where {every 3}",
    # Another source's deal of the same name was never opened again.
    "insert into opportunity (source_system, source_id, partner_id, origin, qualified_at, last_activity_at, closed_at,"
    " outcome, amount, currency, known_at) select 'test', source_id, partner_id, origin, qualified_at,"
    " last_activity_at, closed_at, outcome, amount, currency, known_at from opportunity where {every 15}",
)

_EVERY = re.compile(r"\{every (\d+)\}")


@pytest.fixture(scope="module")
async def calm(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[asyncpg.Connection]:
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database plainer template {template_database}")
    await admin.close()
    conn = await asyncpg.connect(postgres.dsn_for("plainer"), server_settings={"timezone": "UTC"})
    await prepare_connection(conn)
    await generate_world(conn, SPEC)
    yield conn
    await conn.close()


@pytest.fixture
async def facts(calm: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """Whatever happens to them is undone."""
    transaction = calm.transaction()
    await transaction.start()
    yield calm
    await transaction.rollback()


def reference(name: str) -> str:
    return (Path(__file__).parent / f"{name}_reference.sql").read_text(encoding="utf-8")


def asked_of_duckdb(metric: MetricName) -> str:
    """Plainer than ours: it goes through all facts of all partners at once."""
    return (Path(bench.__file__).parent / f"sql/scale/{metric}.sql").read_text(encoding="utf-8")


async def compared(
    facts: asyncpg.Connection,
    metric: MetricName,
    plainer: str,
    trouble: Sequence[str],
    seed: int,
    as_told: bool = False,
) -> Counter[str]:
    """Parts of the whole group, summed over some moments and windows, once both agree."""
    chance, sums = Random(seed), Counter[str]()
    for sql in trouble:
        await facts.execute(
            _EVERY.sub(r"hashtext(source_id || $1) % \1 = 0", sql).replace("{amended}", AMENDED), f"{seed}"
        )
    # Not everybody: claims stand against requests of partners who are not asked about, and invoices are theirs as well.
    some = tuple(chance.sample(PARTNERS, 12))
    groups = (some, some[3:8], (), (*some[:2], "nobody", some[0]))
    numbered = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    asked = [number for number, _ in numbered], [partner for _, partner in numbered]
    for _ in range(4):
        as_of = ENDS - timedelta(hours=chance.randrange(24 * 100))
        window = Window(start=as_of - timedelta(days=chance.choice((14, 90, 200))), end=as_of)
        expected: list[list[dict[str, object]]] = [[] for _ in groups]
        for row in await facts.fetch(plainer, *asked, window.start, window.end, as_of):
            # A part that is NULL is no part.
            said = ("numerator", "denominator")
            columns = {column: value for column, value in row.items() if column in said or value is not None}
            expected[columns.pop("group_no")].append(columns)
        async with planned(facts):
            read = await read_planned(facts, metric, groups, window=window, as_of=as_of, as_told=as_told)
        assert [shown(one) for one in read] == expected
        for one in read[0]:
            sums.update({part: int(value) for part, value in one.parts.items()})
    return sums


@pytest.mark.parametrize("seed", range(6))
async def test_mdf_is_to_the_last_digit_what_the_plainer_statement_says(facts: asyncpg.Connection, seed: int) -> None:
    sums = await compared(facts, MDF, reference("mdf"), MDF_TROUBLE, seed)
    met = ("paid", "approved_unpaid", "reserved", "paid_in_window", "unbudgeted", "missing_fx")
    assert all(sums[part] for part in (*met, "duplicate_invoices", "overpaid_claims", "late_claims")), sums


@pytest.mark.parametrize("seed", range(6))
async def test_enablement_is_what_the_plainer_statement_says_whatever_versions_a_course_has(
    facts: asyncpg.Connection, seed: int
) -> None:
    plainer, as_told = asked_of_duckdb(ENABLEMENT), seed % 2 == 1
    if as_told:
        plainer = plainer.replace("enablement_assignment_as_of(", "enablement_assignment_as_told(")
    sums = await compared(facts, ENABLEMENT, plainer, COURSE_TROUBLE, seed, as_told)
    met = ("completed", "early", "on_time", "overdue", "expired", "failed", "not_due", "assigned_after_due")
    assert all(sums[part] for part in (*met, "withdrawn", "not_begun", "assigned_in_window")), sums


@pytest.mark.parametrize("seed", range(6))
async def test_margin_is_to_the_last_digit_what_the_plainer_statement_says(
    facts: asyncpg.Connection, seed: int
) -> None:
    sums = await compared(facts, MARGIN, asked_of_duckdb(MARGIN), MARGIN_TROUBLE, seed)
    met = ("returned", "influenced_revenue", "partner_payments", "support_cost", "mdf", "missing_fx", "over_credited")
    assert all(sums[part] for part in (*met, "accruals_open")), sums


@pytest.mark.parametrize("as_told", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_compliance_is_to_the_last_digit_what_the_plainer_statement_says(
    facts: asyncpg.Connection, seed: int, as_told: bool
) -> None:
    plainer = asked_of_duckdb(COMPLIANCE)
    if as_told:
        plainer = plainer.replace("compliance_result_as_of(", "compliance_result_as_told(")
    sums = await compared(facts, COMPLIANCE, plainer, COMPLIANCE_TROUBLE, seed, as_told)
    met = ("critical_failed", "critical_unassessed", "expired", "waived", "inconclusive", "not_assessed")
    assert all(sums[part] for part in (*met, "not_applicable", "assessed_in_window")), sums


@pytest.mark.parametrize("as_told", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_velocity_is_to_the_last_digit_what_the_plainer_statement_says(
    facts: asyncpg.Connection, seed: int, as_told: bool
) -> None:
    plainer = asked_of_duckdb(VELOCITY)
    if as_told:
        plainer = plainer.replace("opportunity_as_of(", "opportunity_as_told(")
    sums = await compared(facts, VELOCITY, plainer, VELOCITY_TROUBLE, seed, as_told)
    met = ("won", "lost", "open", "stale_open", "unqualified", "cancelled", "duplicate", "influenced", "invalid")
    assert all(sums[part] for part in (*met, "missing_fx", "cycle_p75_days", "cycle_median_days")), sums
