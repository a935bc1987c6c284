"""What a rollout kept when it ended, at the terminal: record, next-cycle and bundle give that one, and say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from audit.bundle import unzipped
from cli.home import Place
from cli.output import Exit
from models.command import Verb
from models.plan import Fate, StopResolution
from models.rollout import Status
from store.pool import create_pool
from tests.activities.late import LATE
from tests.activities.setting import Pool
from tests.cli.conftest import Rollout, Terminal

BACK = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)

TAMPER = """
update kept_document set content = content || 'Nobody objected.',
    sha256 = encode(sha256(content || 'Nobody objected.'), 'hex')
where (rollout_id, path) = ($1, 'en/record.md')
"""

OTHERWISE = """
update decision_log set entry = jsonb_set(entry, '{rationale}', '"nobody said why"')
where rollout_id = $1 and entry ->> 'kind' = 'decision' and entry ->> 'gate' is not null
"""
"""The reason of whoever approved the gate is another one now."""


@pytest.fixture
async def pool(terminal: Terminal) -> AsyncIterator[Pool]:
    async with await create_pool(Place(terminal.home).dsn) as opened:
        yield opened


@pytest.fixture
async def ended(rollout: Rollout) -> Rollout:
    """A rollout that was stopped in its pilot, after it had been looked at: the next plan draws from that."""
    await rollout.to_pilot()
    await rollout.looked_at()
    await rollout.ask(Verb.STOP, "sponsor", "seen enough", resolution=BACK)
    await rollout.until(Status.STOPPED)
    # Its last words go into the log after that.
    await rollout.at_rest()
    return rollout


async def test_the_record_and_the_draft_that_were_kept_are_given_and_fresh_ones_where_asked(
    terminal: Terminal, ended: Rollout, pool: Pool, tmp_path: Path
) -> None:
    name = ended.name
    told = await terminal("record", name, "--out", str(tmp_path / "kept"), "-o", "json")
    assert told.code == Exit.OK, told.err
    kept = told.data["kept"]
    text = (tmp_path / "kept" / "record.md").read_bytes()
    assert (kept["shown"], kept["differs"], kept["sha256"]) == (True, None, sha256(text).hexdigest())
    stored = "select content from kept_document where (rollout_id, path) = ($1, $2)"
    assert await pool.fetchval(stored, name, "en/record.md") == text
    assert f"as of entry {kept['entries']}; entry {kept['entry']} of the log" in told.err
    assert f"| Entries of the log | {kept['entries']} |" in text.decode()
    japanese = await terminal("record", name, "--out", str(tmp_path / "ja"), "--language", "ja")
    assert (japanese.code, "1 gate entries" in japanese.out) == (Exit.OK, True)
    page = (tmp_path / "ja" / "record.html").read_bytes()
    assert await pool.fetchval(stored, name, "ja/record.html") == page

    fresh = await terminal("record", name, "--out", str(tmp_path / "fresh"), "--fresh", "-o", "json")
    assert (fresh.code, fresh.data["kept"]["shown"], fresh.data["kept"]["differs"]) == (Exit.OK, False, None)
    assert "Made anew. A record was kept at the end" in fresh.err
    entries = int(await pool.fetchval("select count(*) from decision_log where rollout_id = $1", name))
    assert f"| Entries of the log | {entries} |" in (tmp_path / "fresh" / "record.md").read_text(encoding="utf-8")
    assert entries > kept["entries"]

    draft = await terminal("next-cycle", name, "-o", "json")
    assert (draft.code, draft.data["kept"]["shown"], draft.data["id"]) == (Exit.OK, True, f"{name}-2"), draft.err
    assert draft.data["text"].encode() == await pool.fetchval(stored, name, "next-cycle.yaml")
    assert draft.data["reasons"]
    plan = tmp_path / "next.yaml"
    assert (await terminal("next-cycle", name, "-O", str(plan))).code == Exit.OK
    valid = await terminal("plan", "validate", str(plan), "-o", "json")
    assert (valid.code, valid.data[0]["digest"]) == (Exit.OK, draft.data["digest"])
    again = await terminal("next-cycle", name, "--fresh", "-o", "json")
    assert (again.code, again.data["kept"]["shown"]) == (Exit.OK, False)


async def test_where_the_kept_one_states_something_else_than_the_store_does_now_that_is_said(
    terminal: Terminal, ended: Rollout, pool: Pool, tmp_path: Path
) -> None:
    before = await terminal("record", ended.name, "--out", str(tmp_path / "before"))
    assert "differ" not in before.err
    # What came later is none of what was kept, and is counted only by who asks for it anew.
    assert await pool.execute(LATE, ended.name) == "INSERT 0 1"
    later = await terminal("record", ended.name, "--out", str(tmp_path / "later"), "-o", "json")
    assert (later.data["kept"]["differs"], later.data["kept"]["later_readings"] >= 1) == (None, True)
    assert "Readings of before the end that came after it was kept" in later.err
    # A change of what it was made of is another thing.
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("alter table decision_log disable trigger user")
        await conn.execute(OTHERWISE, ended.name)
        await conn.execute("alter table decision_log enable trigger user")
    for folder, more in (("kept", ()), ("fresh", ("--fresh",))):
        told = await terminal("record", ended.name, "--out", str(tmp_path / folder), *more)
        assert told.code == Exit.OK
        assert "What was kept and what is made anew of the same entries differ: en/" in told.err
    old, new = ((tmp_path / one / "record.md").read_bytes() for one in ("kept", "fresh"))
    assert old == (tmp_path / "before" / "record.md").read_bytes() != new


async def test_a_record_that_is_not_the_one_the_log_names_is_not_passed_for_it(
    terminal: Terminal, ended: Rollout, pool: Pool, tmp_path: Path
) -> None:
    good = tmp_path / "good.zip"
    assert (await terminal("audit", "export", ended.name, "--out", str(good))).code == Exit.OK
    assert {"record/files.json", "record/en/record.md", "record/ja/record.html", "record/next-cycle.yaml"} <= set(
        unzipped(good.read_bytes())
    )
    pinned = ("--key", str(Place(terminal.home).log_vkeys), "--allow", "unsigned")
    proven = await terminal("audit", "verify", str(good), *pinned)
    assert proven.code == Exit.OK, proven.err
    assert "files of the record that was kept" in proven.out

    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("alter table kept_document disable trigger user")
        await conn.execute(TAMPER, ended.name)
        await conn.execute("alter table kept_document enable trigger user")
    told = await terminal("record", ended.name, "--out", str(tmp_path / "record"))
    assert told.code == Exit.ERROR
    assert "en/record.md: it is not what was kept: changed or exchanged (entry " in told.err
    assert not (tmp_path / "record").exists()
    fresh = await terminal("record", ended.name, "--out", str(tmp_path / "record"), "--fresh")
    assert fresh.code == Exit.OK
    assert "What was kept is not shown: en/record.md" in fresh.err

    bad = tmp_path / "bad.zip"
    assert (await terminal("audit", "export", ended.name, "--out", str(bad))).code == Exit.OK
    broken = await terminal("audit", "verify", str(bad), *pinned)
    assert broken.code == Exit.ERROR
    assert broken.err.startswith("NOT PROVEN: record/en/record.md, entry ")
    assert "it is not what was kept: changed or exchanged" in broken.err
