"""keys log and db grant, as they are typed."""

from __future__ import annotations

import asyncpg
import pytest

from audit.notes import read_vkey
from cli.embedded_console import ensure_keys
from cli.home import Place
from cli.output import Exit
from tests.cli.conftest import Terminal


async def test_log_keys_are_made_once_rotated_and_listed(nowhere: Terminal) -> None:
    words = ("--key", str(nowhere.folder / "log-key.json"))
    made = await nowhere("keys", "log", "generate", *words, "--deployment", "north")
    assert made.code == 0, made.err
    assert read_vkey(made.out.strip()).name == "north"
    assert "give auditors this line" in made.err
    again = await nowhere("keys", "log", "generate", *words)
    assert (again.code, "keys log rotate" in again.err) == (Exit.BAD_INPUT, True)
    rotated = await nowhere("keys", "log", "rotate", *words, "-o", "json")
    assert rotated.document["kind"] == "log-key"
    listed = await nowhere("keys", "log", "list", *words, "-o", "json")
    assert [one["vkey"] for one in listed.data] == [rotated.data["vkey"], made.out.strip()]
    shown = await nowhere("keys", "log", "list", "--public", str(nowhere.folder / "log-keys.txt"))
    assert listed.data[0]["id"] in shown.out


async def test_without_keys_there_is_a_sentence(nowhere: Terminal) -> None:
    told = await nowhere("keys", "log", "list")
    assert (told.code, told.out) == (Exit.BAD_INPUT, "")
    assert "cannot be read: No such file" in told.err


def test_embedded_servers_have_a_log_key_of_their_own_that_stays(nowhere: Terminal) -> None:
    place = Place(nowhere.home, own=True)
    ensure_keys(place)
    before = (place.log_key.read_bytes(), place.log_vkeys.read_text())
    ensure_keys(place)
    assert (place.log_key.read_bytes(), place.log_vkeys.read_text()) == before


async def test_a_role_is_made_and_given_what_a_worker_needs(nowhere: Terminal, database: str) -> None:
    own = Terminal(nowhere.folder, nowhere.home, {"ROLLOUTS_DATABASE_DSN": database})
    role = f"worker_{database.rpartition('/')[2].partition('?')[0]}"
    made = await own("db", "grant", role, "--create")
    assert made.code == 0, made.err
    assert "the record it can only add to" in made.err
    dsn = database.replace(database.split("//")[1].partition("@")[0], f"{role}:{made.out.strip()}")
    conn = await asyncpg.connect(dsn)
    try:
        assert await conn.fetchval("select count(*) from decision_log") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("delete from decision_log")
    finally:
        await conn.close()
    again = await own("db", "grant", role, "-o", "json")
    assert (again.code, again.data["role"], again.data["password"]) == (0, role, None)
    assert (await own("db", "grant", role, "--create")).code == Exit.BAD_INPUT
    nobody = await own("db", "grant", "nobody_at_all")
    assert (nobody.code, nobody.out) == (Exit.BAD_INPUT, "")
    assert "There is no role nobody_at_all; `--create` makes it." in nobody.err
    # Who is granted something cannot grant it on.
    itself = Terminal(nowhere.folder, nowhere.home, {"ROLLOUTS_DATABASE_DSN": dsn})
    refused = await itself("db", "grant", role)
    assert refused.code == Exit.REFUSED, refused
    assert "Only who owns the tables" in refused.err
