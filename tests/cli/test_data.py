"""data import and generate: what goes in, what is set aside and where, what is refused whole."""

from __future__ import annotations

import asyncio
import csv
import signal
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli import data
from cli.data import BASELINE, first_day
from cli.home import Place
from cli.output import Exit
from models.contradiction import MEANINGS, Contradiction
from store.world_spec import Further, WorldSpec
from tests.cli.conftest import PATIENCE, Terminal, finished
from tests.store.desk import LEAD_HEADER, LEADS, PARTNERS

MADE_UP = "select count(*) from partner where source_system = 'synthetic'"
IMPORTED = "select count(*) from lead where source_system = 'crm'"


async def _count(terminal: Terminal, statement: str) -> int:
    connection = await asyncpg.connect(Place(terminal.home).dsn)
    try:
        found: int = await connection.fetchval(statement)
    finally:
        await connection.close()
    return found


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Partners and leads with their mappings; two of the leads are bad."""
    texts = {
        "partners.yaml": PARTNERS,
        "leads.yaml": LEADS,
        "partners.csv": "Id,Name,Parent,Tier\nIMP-1,First,,gold\nIMP-2,Second,IMP-1,\n",
        "leads.csv": LEAD_HEADER
        + "a,IMP-1,2025-02-01T10:00Z,,,,\n"
        + "b,IMP-1,at noon,,,,\n"
        + "c,ghost,2025-02-01T10:00Z,,,,\n"
        + "d,IMP-2,2025-02-01T10:00Z,,,,\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: str(tmp_path / name) for name in texts}


async def test_bad_rows_go_to_a_file_with_line_and_reason_and_strict_takes_nothing(
    terminal: Terminal, files: dict[str, str], tmp_path: Path
) -> None:
    partners = await terminal("data", "import", "partners", files["partners.csv"], "--mapping", files["partners.yaml"])
    assert partners.code == Exit.OK, partners.err
    assert partners.out == "2 rows read: 2 new, 0 changed, 0 unchanged, 0 skipped, 0 rejected.\n"
    assert "partners.csv: 100 %" in partners.err

    leads = ("data", "import", "leads", files["leads.csv"], "--mapping", files["leads.yaml"])
    strict = await terminal.program(*leads, "--strict", "--rejects", str(tmp_path / "strict.csv"))
    assert (strict.code, strict.out) == (Exit.BAD_INPUT, "")
    assert "2 bad rows, nothing was written" in strict.err
    assert "strict.csv" in strict.err
    assert await _count(terminal, IMPORTED) == 0

    told = await terminal.program(*leads, "-o", "json")
    assert (told.code, told.document["kind"]) == (Exit.OK, "import")
    assert (told.data["rows_read"], told.data["inserted"], told.data["rejected"]) == (4, 2, 2)
    reject_file = tmp_path / "leads.rejects.csv"
    assert told.data["reject_file"] == str(reject_file)
    assert f"2 bad rows are in {reject_file}" in told.err
    with reject_file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["reject_line"], row["Id"]) for row in rows] == [("3", "b"), ("4", "c")]
    assert all(row["reject_reason"] for row in rows)
    assert await _count(terminal, IMPORTED) == 2

    again = await terminal(*leads)
    assert "0 new, 0 changed, 2 unchanged, 0 skipped, 2 rejected" in again.out


async def test_an_import_that_cannot_begin_says_why_in_one_place(
    terminal: Terminal, files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(PARTNERS.replace("name: Name", "nmae: Name"), encoding="utf-8")
    cases: dict[str, tuple[str, ...]] = {
        "'partner' is not one of 'calendars'": ("partner", files["partners.csv"], "--mapping", files["partners.yaml"]),
        "wrong.yaml:3": ("partners", files["partners.csv"], "--mapping", str(tmp_path / "wrong.yaml")),
        "none.yaml: cannot be read": ("partners", files["partners.csv"], "--mapping", str(tmp_path / "none.yaml")),
        "none.csv": ("partners", str(tmp_path / "none.csv"), "--mapping", files["partners.yaml"]),
        "The mapping is for partners, not for leads": (
            "leads",
            files["leads.csv"],
            "--mapping",
            files["partners.yaml"],
        ),
        "Missing option '--mapping'": ("leads", files["leads.csv"]),
    }
    for expected, words in cases.items():
        told = await terminal("data", "import", *words)
        assert (told.code, told.out) == (Exit.BAD_INPUT, ""), expected
        assert expected in told.err


SHOP = """\
kind: transactions
source_system: shop
fields: {source_id: Id, transaction_id: Sale, partner_id: Partner, credit_share: Share, kind: {constant: sale},
         transaction_date: {constant: 2025-02-01}, net_amount: {constant: "100"}, currency: {constant: USD}}
"""


async def test_facts_that_contradict_each_other_are_found_named_and_found_no_more_once_they_are_right(
    terminal: Terminal, files: dict[str, str], tmp_path: Path
) -> None:
    """Of sale S 0.3 and 0.5 are credited, 0.8 of it; of T 0.6. Corrected, S is whole, and what was known stays so."""
    await terminal("data", "import", "partners", files["partners.csv"], "--mapping", files["partners.yaml"])
    mapping, sales = tmp_path / "shop.yaml", tmp_path / "shop.csv"
    mapping.write_text(SHOP, encoding="utf-8")
    bring = ("data", "import", "transactions", str(sales), "--mapping", str(mapping), "--strict")
    look = ("data", "check", "--source", "shop")
    sales.write_text("Id,Sale,Partner,Share\na,S,IMP-1,0.3\nb,S,IMP-2,0.5\nc,T,IMP-1,0.6\n", encoding="utf-8")
    assert (await terminal(*bring)).code == Exit.OK

    told = await terminal.program(*look, "--limit", "1")
    assert told.code == Exit.FOUND, told.err
    assert told.out.splitlines() == [
        "shares-below-one: 2 transactions (2 of shop)",
        f"  {MEANINGS[Contradiction.SHARES_BELOW_ONE].says}",
        f"  so: {MEANINGS[Contradiction.SHARES_BELOW_ONE].moves}",
        "  read by: contribution_margin, discount_leakage",
        "  - shop a, partner IMP-1: transaction S: 0.3 + 0.5; expected: 1 together",
        "  - and 1 more (--only shares-below-one --limit N)",
    ]
    assert told.err.endswith(f"1 of {len(Contradiction)} contradictions found.\n")
    assert f"{len(Contradiction)} contradictions: 100 %" in told.err

    known = datetime.now(UTC)
    sales.write_text("Id,Sale,Partner,Share\nb,S,IMP-2,0.7\n", encoding="utf-8")
    assert (await terminal(*bring)).code == Exit.OK
    only = (*look, "--only", "shares-below-one", "--kind", "transactions", "-o", "json")
    right = await terminal(*only)
    assert (right.code, right.document["kind"]) == (Exit.FOUND, "contradictions")
    assert (right.data["looked_for"], right.data["facts"]) == (["shares-below-one"], 1)
    (found,) = right.data["found"]
    meaning = MEANINGS[Contradiction.SHARES_BELOW_ONE]._asdict()
    first = {"source": "shop", "source_id": "c", "partner_id": "IMP-1", "found": "transaction T: 0.6"}
    assert found == {"contradiction": "shares-below-one", **meaning} | {
        "read_by": ["contribution_margin", "discount_leakage"],
        "facts": 1,
        "sources": {"shop": 1},
        "first": [first | {"expected": "1 together"}],
    }
    before = await terminal(*only, "--as-of", f"{known:%Y-%m-%dT%H:%M:%S.%fZ}")
    assert (before.code, before.data["facts"], before.data["as_of"]) == (
        Exit.FOUND,
        2,
        f"{known.isoformat().removesuffix('+00:00')}Z",
    )
    none = await terminal(*look, "--kind", "transactions", "--without", "shares-below-one")
    assert (none.code, none.out) == (Exit.OK, "No contradiction found, of 4 looked for.\n")


async def test_a_check_that_would_look_for_nothing_is_refused(terminal: Terminal) -> None:
    """Of a source that nobody knows nothing contradicts anything, which must not be taken for good news."""
    for words, expected in (
        (("--kind", "partners"), "leave none to look for; kinds that have some: compliance-results, "),
        (("--only", "claim-late", "--without", "claim-late"), "leave none to look for"),
        (("--only", "claim-early"), "'claim-early' is not one of 'shares-below-one'"),
        (("--source", "nobody"), "--source: found 'nobody'; known: "),
    ):
        told = await terminal("data", "check", *words)
        assert (told.code, told.out) == (Exit.BAD_INPUT, ""), words
        assert expected in told.err


async def test_a_second_world_is_refused_and_the_first_stays(terminal: Terminal, world: dict[str, Any]) -> None:
    before = await _count(terminal, MADE_UP)
    assert before == world["partners"]
    told = await terminal("data", "generate", "--seed", "8", "--partners", "3", "--months", "1")
    assert (told.code, told.out) == (Exit.REFUSED, "")
    assert "holds a made-up world already" in told.err
    assert await _count(terminal, MADE_UP) == before


async def test_ctrl_c_while_a_world_is_written_leaves_nothing_behind(nowhere: Terminal, database: str) -> None:
    words = ("data", "generate", "--partners", "3000", "--months", "1")
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        # The last that is written: however late Ctrl-C comes, the world is not whole.
        await connection.execute("lock intake_run in exclusive mode")
        process = await nowhere.start(*words, ROLLOUTS_DATABASE_DSN=database)
        assert process.stderr is not None
        told = await asyncio.wait_for(process.stderr.readline(), PATIENCE)
        assert told == b"3000 partners, 1 months: 10 %\n"
        process.send_signal(signal.SIGINT)
        assert (await finished(process)).code == Exit.INTERRUPTED
    tables = ("partner", "lead", "fx_rate", "intake_run", "watch_change")
    found = [await connection.fetchval(f"select count(*) from {table}") for table in tables]  # noqa: S608
    await connection.close()
    assert found == [0] * len(tables)


@pytest.mark.parametrize(
    "words",
    [
        ("--partners", "0"),
        ("--partners", "1000001"),
        ("--leads", "-1"),
        ("--months", "61"),
        ("--seed", "lucky"),
        ("--with", "luck"),
        ("--start", "soon"),
    ],
)
async def test_a_world_that_cannot_be_is_refused_before_anything_is_opened(
    nowhere: Terminal, words: tuple[str, str]
) -> None:
    told = await nowhere("data", "generate", *words)
    assert (told.code, told.out, len(told.err.splitlines())) == (Exit.BAD_INPUT, "", 1)
    assert f"'{words[0]}'" in told.err


@pytest.mark.parametrize(
    ("words", "further"),
    [
        ([], set()),
        ([data.Life.PAUSES, data.Life.HOLIDAYS, data.Life.PAUSES], {Further.PAUSES, Further.HOLIDAYS}),
        ([data.Life.ALL], set(Further)),
        ([data.Life.ALL, data.Life.PAUSES], set(Further)),
    ],
)
def test_a_world_has_what_is_asked_for(words: list[data.Life], further: set[Further]) -> None:
    assert data._further(words) == further
    assert {one.value for one in data.Life} == {*Further, "all"}


async def test_a_world_with_everything_is_told_of(nowhere: Terminal, database: str) -> None:
    words = (
        "data",
        "generate",
        "--start",
        "2025-01-01",
        "--partners",
        "8",
        "--months",
        "3",
        "--with",
        "accruals",
        "--with",
        "corrections",
    )
    told = await nowhere(*words, "-o", "json", ROLLOUTS_DATABASE_DSN=database)
    assert told.code == 0, told.err
    assert told.document["kind"] == "world"
    assert told.data["amended"].keys() >= {"lead", "mdf_allocation", "partner_transaction"}
    assert "holiday" not in told.data["rows"]
    # Whoever looks at once reads from indexes alone what can be, and by plans for as many rows as there are.
    conn = await asyncpg.connect(database)
    try:
        seen = "select every(relallvisible = relpages and reltuples > 0) from pg_class where oid = any ($1::regclass[])"
        assert await conn.fetchval(seen, ["lead", "opportunity", "enablement_assignment", "fact_day"])
    finally:
        await conn.close()


@pytest.mark.parametrize(
    ("today", "first"),
    [
        (date(2026, 11, 25), date(2025, 8, 1)),
        (date(2024, 2, 29), date(2022, 11, 1)),
        (date(2027, 4, 1), date(2026, 1, 1)),
        (date(2027, 5, 1), date(2026, 1, 1)),
    ],
)
def test_the_usual_world_reaches_from_before_last_years_baseline_to_after_a_plans_end(today: date, first: date) -> None:
    assert first_day(today) == first
    spec = WorldSpec(start=first, months=24)
    now = datetime(today.year, today.month, today.day, tzinfo=UTC)
    year_ago = now.replace(year=now.year - 1, day=min(now.day, 28))
    assert spec.starts_at + BASELINE <= year_ago
    assert (spec.ends_at - now).days > 180


async def test_status_says_how_far_each_source_reaches_and_which_is_late(
    terminal: Terminal, files: dict[str, str], tmp_path: Path
) -> None:
    for kind in ("partners", "leads"):
        words = ("data", "import", kind, files[f"{kind}.csv"], "--mapping", files[f"{kind}.yaml"])
        assert (await terminal(*words)).code == Exit.OK
    told = await terminal.program("data", "status", "-o", "json")
    assert (told.code, told.document["kind"]) == (Exit.OK, "data")
    (leads,) = [one for one in told.data["sources"] if (one["source"], one["kind"]) == ("crm", "leads")]
    assert (leads["facts"], leads["rejected"], leads["file_name"]) == (2, 2, "leads.csv")
    assert (leads["through"], leads["severity"], leads["late"]) == ("2025-02-01T10:00:00Z", "red", True)
    assert told.data["waiting"] == []

    told = await terminal("data", "status", "--strict")
    assert told.code == Exit.ERROR
    assert told.err.startswith("Late: ")
    assert "leads of crm" in told.err
    (line,) = [line for line in told.out.splitlines() if "crm" in line and "leads" in line]
    assert line.split()[:5] == ["RED", "crm", "leads", "2025-02-01", "10:00"]

    strict = ("data", "import", "leads", files["leads.csv"], "--mapping", files["leads.yaml"], "--strict")
    assert (await terminal(*strict)).code == Exit.BAD_INPUT
    refused = await terminal("data", "status")
    (line,) = [line for line in refused.out.splitlines() if "was refused" in line]
    assert line.startswith("The last import of leads from crm was refused: ")
    assert "2 bad rows, nothing was written" in line
    assert line.endswith(
        "; line 3, Assigned: found 'at noon'; allowed: a moment such as 2025-12-31T17:00:00+01:00; ..."
    )

    patient = await terminal("data", "status", "--strict", "--bound", "36500d")
    assert patient.code == Exit.OK
    assert not any(line.startswith("RED") for line in patient.out.splitlines())


@pytest.mark.parametrize("bound", ["soon", "0d", "-3d", "40000d"])
async def test_a_bound_that_is_no_length_is_refused_before_anything_is_opened(nowhere: Terminal, bound: str) -> None:
    told = await nowhere("data", "status", "--bound", bound)
    assert (told.code, told.out, len(told.err.splitlines())) == (Exit.BAD_INPUT, "", 1)
    assert told.err.startswith("--bound: ")
