"""What is quick because an index answers by itself: the statements as they are planned go by that index.

Where hardly anything is there a table is read through whatever there is; that is switched off, so that what is asked is
whether the index can answer, and not how many rows make it worth while. How quick it is is measured in bench/.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import asyncpg
import pytest

from models.metric import MetricName
from store.metrics import statement
from store.statements import statement as file_of
from tests.store.world import at

PARTNERS = tuple(f"p{number}" for number in range(30))
FACTS = """
insert into partner (partner_id, name, source_system, source_id, known_at)
select 'p' || n, 'p', 'test', 'p' || n, '2020-01-01Z' from generate_series(0, 29) n;
insert into lead (source_system, source_id, partner_id, assigned_at, accept_due_at, contact_due_at, first_contact_at,
                  known_at)
select 'test', n::text, 'p' || n % 30, t, t + interval '4h', t + interval '8h',
       case when n % 9 > 0 then t + interval '2h' end, t
from generate_series(1, 3000) n cross join lateral (select '2026-01-01Z'::timestamptz + n * interval '40m') as at (t);
insert into partner_transaction (source_system, source_id, transaction_id, partner_id, credit_share, kind,
                                 transaction_date, net_amount, currency, known_at)
select 'test', n::text, 't' || n - (n % 20 = 1)::int, 'p' || n % 30, 0.5, 'sale', '2026-01-01'::date + n % 90, 9, 'USD',
       '2026-01-01Z'
from generate_series(1, 3000) n;
insert into compliance_check (check_id, version, severity, weight, effective_from, source_system, source_id, known_at)
select 'c' || n, 1, 'high', 7, '2020-01-01', 'test', 'c' || n, '2020-01-01Z' from generate_series(1, 5) n;
insert into compliance_result (source_system, source_id, partner_id, check_id, version, outcome, assessed_at, known_at)
select 'test', n::text, 'p' || n % 30, 'c' || 1 + n / 30 % 5, 1, 'pass', t, t
from generate_series(1, 3000) n cross join lateral (select '2026-01-01Z'::timestamptz + n * interval '40m') as at (t);
"""
WINDOW = ([0] * len(PARTNERS), list(PARTNERS), at("2026-01-01"), at("2026-04-01"), at("2026-04-01"))
DUE = ([0] * len(PARTNERS), list(PARTNERS), [at("2026-02-01")])
OPEN = "lead_open_deadline"
LINES_OF_ONE = "partner_transaction_source_system_transaction_id_partner_id_key"
ALONE, VISITED, ORDERED = "Index Only Scan", "Index Scan", {"Sort", "Incremental Sort"}


class Node(NamedTuple):
    """A step of a plan, with the steps above it, the nearest first."""

    of: dict[str, Any]
    above: tuple[dict[str, Any], ...]


def steps(of: dict[str, Any], above: tuple[dict[str, Any], ...] = ()) -> Iterator[Node]:
    yield Node(of, above)
    for one in of.get("Plans", ()):
        yield from steps(one, (of, *above))


@pytest.fixture(scope="module")
async def conn(postgres: Any, template_database: str) -> AsyncIterator[asyncpg.Connection]:
    """Facts of three months, looked through by the server as it does by itself in use."""
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database plans template {template_database}")
    conn = await asyncpg.connect(postgres.dsn_for("plans"), server_settings={"timezone": "UTC", "jit": "off"})
    await conn.execute(FACTS)
    await conn.execute("vacuum analyze")
    yield conn
    await conn.close()
    await admin.execute("drop database plans with (force)")
    await admin.close()


async def read_of(conn: asyncpg.Connection, table: str, sql: str, *given: Any) -> list[Node]:
    """The steps that read a table of facts, as it stands now, when this is asked."""
    async with conn.transaction():
        await conn.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        plan = json.loads(await conn.fetchval(f"explain (verbose, format json) {sql}", *given))[0]["Plan"]
    found = [one for one in steps(plan) if (one.of.get("Schema"), one.of.get("Relation Name")) == ("public", table)]
    assert found
    return found


def by(nodes: list[Node]) -> set[tuple[str, str | None]]:
    return {(one.of["Node Type"], one.of.get("Index Name")) for one in nodes}


@pytest.mark.parametrize("metric", ["lead_follow_up_sla", "lead_acceptance"])
async def test_the_next_deadline_is_told_by_the_index_of_open_leads(conn: asyncpg.Connection, metric: str) -> None:
    nodes = await read_of(conn, "lead", file_of(f"watch/next_deadlines/{metric}"), *DUE)
    assert by(nodes) == {(ALONE, OPEN)}
    # By partner and moment, not by going through all that a partner has open.
    condition = {"lead_follow_up_sla": "contact_due_at >=", "lead_acceptance": "accept_due_at >="}[metric]
    assert all(condition in one.of["Index Cond"] for one in nodes)


async def test_the_lines_of_revenue_are_told_by_their_index_and_shares_only_where_lines_share(
    conn: asyncpg.Connection,
) -> None:
    margin = statement(MetricName.CONTRIBUTION_MARGIN)
    lines = await read_of(conn, "partner_transaction", margin, *WINDOW)
    # Rows are visited only of transactions that are credited for more than the whole, of which there are hardly any.
    assert by(lines) == {(ALONE, "partner_transaction_by_partner"), (ALONE, LINES_OF_ONE), (VISITED, LINES_OF_ONE)}
    assert [one.of["Index Name"] for one in lines].count(LINES_OF_ONE) == 2
    assert by(await read_of(conn, "shared_line", margin, *WINDOW)) == {(ALONE, "shared_line_pkey")}


async def test_the_last_results_come_from_their_index_in_its_order(conn: asyncpg.Connection) -> None:
    nodes = await read_of(conn, "compliance_result", statement(MetricName.COMPLIANCE_SCORE), *WINDOW)
    latest = [one for one in nodes if one.of.get("Index Name") == "compliance_result_latest"]
    assert latest
    for one in latest:
        assert one.of["Node Type"] == ALONE
        # Searched by partner alone: by when it became known, or was assessed, it would be skipped through by check.
        assert "_at" not in one.of["Index Cond"]
        kinds = [step["Node Type"] for step in one.above]
        assert not ORDERED & set(kinds[: kinds.index("Unique")])


async def test_leads_of_a_window_are_told_by_the_index_of_their_partners(conn: asyncpg.Connection) -> None:
    sla = await read_of(conn, "lead", statement(MetricName.LEAD_FOLLOW_UP_SLA), *WINDOW)
    assert by(sla) == {(ALONE, "lead_by_partner"), (ALONE, "lead_pkey")}
