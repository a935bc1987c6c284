"""Signing in at the terminal: what somebody decides then is signed as theirs, and a claimed name is told what it is."""

from __future__ import annotations

import ast
import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

import cli
from cli.home import Place
from cli.output import Exit
from models.log import Outcome
from models.plan import RolloutPlan
from tests.cli.conftest import Rollout, Terminal, write_plan
from tests.plans import plan_data

WHY = ("-m", "because it is so")


@pytest.fixture
async def own(terminal: Terminal, tmp_path: Path) -> Terminal:
    """A terminal of somebody's own: the same servers, and a directory where nobody is signed in."""
    place = Place(terminal.home)
    found, state = place.console(), place.state()
    assert found is not None
    assert state is not None
    variables = {
        "ROLLOUTS_PUBLIC_URL": found[1],
        "ROLLOUTS_DATABASE_DSN": state.dsn,
        "TEMPORAL_ADDRESS": state.temporal_address,
        "TEMPORAL_NAMESPACE": state.namespace,
    }
    return Terminal(tmp_path, tmp_path / "home", variables)


async def test_who_signs_in_decides_as_themselves_until_they_sign_out(own: Terminal, rollout: Rollout) -> None:
    sponsor = rollout.who("sponsor")
    nobody = await own("acknowledge", rollout.name, *WHY)
    assert (nobody.code, "Nobody is signed in here" in nobody.err) == (Exit.BAD_INPUT, True)
    told = await own("login", "--as", sponsor)
    assert told.code == 0, told.err
    assert f"as Sam Sponsor ({sponsor}, by http://127.0.0.1:" in told.out
    file = own.home / "login.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["token"]
    done = await own("acknowledge", rollout.name, *WHY)
    assert (done.code, "has taken note" in done.out) == (0, True), done.err
    entry = next(one for one in await rollout.gateway.decisions(rollout.name) if one.rationale == WHY[1])
    assert entry.signed_by is not None
    assert (entry.signed_by.subject, entry.outcome) == (sponsor, Outcome.APPLIED)
    other = await own("acknowledge", rollout.name, "--as", "fin.finance@example.com", *WHY)
    assert (other.code, "is signed in here, and --as says" in other.err) == (Exit.BAD_INPUT, True)
    refused = await own("decisions", rollout.name, "-o", "json")
    assert token not in told.out + told.err + done.out + refused.out
    assert (await own("logout")).code == 0
    assert not file.exists()
    assert (await own("acknowledge", rollout.name, *WHY)).code == Exit.BAD_INPUT


async def test_a_session_that_was_revoked_is_told_so(own: Terminal, rollout: Rollout) -> None:
    sponsor = rollout.who("sponsor")
    assert (await own("login", "--as", sponsor)).code == 0
    listed = (await own("sessions", "list", "-o", "json")).data
    assert sponsor in [one["identity"] for one in listed if one["ended_at"] is None]
    assert (await own("sessions", "revoke", sponsor.upper())).code == 0
    told = await own("pause", rollout.name, *WHY)
    assert (told.code, "Type `rollouts login`" in told.err) == (Exit.REFUSED, True)
    again = await own("sessions", "revoke", sponsor)
    assert (again.code, "No session of" in again.err) == (Exit.BAD_INPUT, True)


async def test_nobody_signs_in_as_a_stranger(own: Terminal) -> None:
    told = await own("login", "--as", "stranger@example.com")
    assert (told.code, "no such persona" in told.err) == (Exit.REFUSED, True)
    assert not (own.home / "login.json").exists()


async def test_nobody_starts_what_must_be_signed_without_signing_in(own: Terminal, tmp_path: Path) -> None:
    data = plan_data(id=f"plan-{uuid4().hex[:8]}", decisions="signed")
    issuer = f"{own.variables['ROLLOUTS_PUBLIC_URL']}/dev-issuer"
    data["owners"] = [{**one, "issuer": issuer, "subject": one["identity"]} for one in data["owners"]]
    plan = RolloutPlan.model_validate_json(json.dumps(data))
    file = str(write_plan(tmp_path, plan))
    claimed = await own("start", "-f", file)
    assert (claimed.code, "type `rollouts login` first" in claimed.err) == (Exit.REFUSED, True)
    assert (await own("login", "--as", "programme@example.com")).code == 0
    started = await own("start", "-f", file, "--clock-start", "2026-01-05")
    assert (started.code, f"{plan.id} started" in started.out) == (0, True), started.err
    assert (await own("logout")).code == 0
    assert (await own("login", "--as", plan.holders("sponsor")[0].identity)).code == 0
    confirmed = await own("confirm", plan.id)
    assert (confirmed.code, "confirmed ownership as sponsor" in confirmed.out) == (0, True), confirmed.err


async def test_a_name_that_is_claimed_is_vouched_for_by_the_issuer_that_believes_it_and_by_no_other(
    own: Terminal, rollout: Rollout, elsewhere: str
) -> None:
    sponsor = rollout.who("sponsor")
    told = await own("acknowledge", rollout.name, "--as", sponsor, *WHY)
    assert (told.code, "has taken note" in told.out) == (0, True), told.err
    stranger = await own("pause", rollout.name, "--as", "stranger@example.com", "-m", "I walk by")
    assert (stranger.code, "is not an owner named in the plan" in stranger.err) == (Exit.REFUSED, True), stranger
    by = {one.rationale: one for one in await rollout.gateway.decisions(rollout.name)}
    signed = by[WHY[1]].signed_by
    assert (by["I walk by"].outcome, signed.subject if signed else None) == (Outcome.REFUSED, sponsor)
    # What a claim needs a session for ends with it.
    listed = (await own("sessions", "list", "-o", "json")).data
    assert not [one for one in listed if one["identity"] == "stranger@example.com" and one["ended_at"] is None]
    assert not (own.home / "login.json").exists()
    for words in (("pause", rollout.name), ("confirm", rollout.name)):
        real = await own(*words, "--as", sponsor, *WHY, ROLLOUTS_PUBLIC_URL=elsewhere)
        assert (real.code, "this service has a real one" in real.err) == (Exit.BAD_INPUT, True), real
    nobody = await own("pause", rollout.name, "--as", "no address", *WHY)
    assert (nobody.code, "no such persona" in nobody.err) == (Exit.REFUSED, True)


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    """A service whose issuer is another one, as far as a terminal sees it before anybody has signed in."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there = b"https://login.example.com/authorize?client_id=rollouts"
        writer.write(
            b"HTTP/1.1 303 See Other\r\nConnection: close\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % there
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_no_command_signals_temporal() -> None:
    """A backtest plays the owners of a rollout that is nobody's, on a server of its own."""
    ways = {"signal", "deliver", "start_update", "execute_update", "signal_workflow", "update_workflow"}
    called = {
        f"{file.name}:{node.lineno} {node.func.attr}"
        for file in Path(cli.__file__).parent.glob("**/*.py")
        if file.parent.name != "backtest"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ways
    }
    assert called == set()


async def test_keys_that_sign_are_made_once_and_rotated(nowhere: Terminal) -> None:
    words = ("--key", str(nowhere.folder / "key.json"), "--public", str(nowhere.folder / "public.json"))
    made = await nowhere("keys", "sign", "generate", *words)
    assert made.code == 0, made.err
    assert "Bring" in made.err
    assert (await nowhere("keys", "sign", "generate", *words)).code == Exit.BAD_INPUT
    rotated = await nowhere("keys", "sign", "rotate", *words)
    listed = await nowhere("keys", "sign", "list", "--public", str(nowhere.folder / "public.json"), "-o", "json")
    assert [one["kid"] for one in listed.data] == [rotated.out.strip(), made.out.strip()]
    assert '"d"' not in listed.out
