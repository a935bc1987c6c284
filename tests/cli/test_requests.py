"""What people ask of a rollout by command: what is applied, what is refused, and the exit code that tells."""

from __future__ import annotations

import asyncio

from cli.home import Place
from cli.output import Exit
from models.command import Verb
from models.rollout import Status
from tests.cli.conftest import Rollout, Terminal
from tests.plans import PILOT

WHY = ("-m", "for a test")


async def test_owners_confirm_by_their_identity_alone_and_strangers_are_refused_and_written_down(
    terminal: Terminal, rollout: Rollout
) -> None:
    known, stranger, claimed = await asyncio.gather(
        terminal.program("confirm", rollout.name, "--as", rollout.who("sponsor")),
        terminal("confirm", rollout.name, "--as", "mallory@example.com", "-o", "json"),
        terminal("confirm", rollout.name, "--as", rollout.who("revops_owner"), "--role", "sponsor"),
    )
    assert known.code == Exit.OK
    assert "applied: Sam Sponsor confirmed ownership as sponsor (1 of 6)" in known.out
    assert stranger.code == Exit.REFUSED
    assert stranger.document["kind"] == "receipt"
    assert stranger.data["outcome"] == "refused"
    assert "is not an owner named in the plan" in stranger.data["message"]
    assert (claimed.code, claimed.out) == (Exit.REFUSED, "")
    assert "Rev Ops is revops_owner in the plan, not sponsor" in claimed.err
    log = {entry.sequence: entry for entry in await rollout.gateway.decisions(rollout.name)}
    assert log[stranger.data["sequence"]].actor == "mallory@example.com"


async def test_a_gate_is_approved_by_the_right_role_on_the_evidence_that_was_read(
    terminal: Terminal, rollout: Rollout
) -> None:
    early = await terminal("approve", rollout.name, "--as", rollout.who("sponsor"), *WHY)
    assert early.code == Exit.REFUSED
    assert "no gate is open" in early.err
    gate = (await rollout.to_gate()).gate
    assert gate is not None

    waits = await terminal("get", rollout.name)
    assert waits.code == Exit.WAITS
    assert "gate prepare_to_pilot: approved 0 of 1 of sponsor" in waits.out

    sponsor = rollout.who("sponsor")
    wrong, stale, short, barred = await asyncio.gather(
        terminal("approve", rollout.name, "--as", rollout.who("finance_owner"), *WHY),
        terminal("approve", rollout.name, "--as", sponsor, "--evidence", "0123456789abcdef", *WHY),
        terminal("approve", rollout.name, "--as", sponsor, "--evidence", "0", *WHY),
        terminal("approve", rollout.name, "--as", sponsor, "--conflict", "my brother sells there", *WHY),
    )
    assert [told.code for told in (wrong, stale, short, barred)] == [6, 6, 2, 6]
    assert "this needs sponsor" in wrong.err
    assert "stale" in stale.err
    assert "at least 8 digits" in short.err
    assert "my brother sells there" in barred.err

    digits = gate.digest.removeprefix("sha256:")[:8]
    right = await terminal.program("approve", rollout.name, "--as", sponsor, "--evidence", digits, *WHY, "-o", "json")
    assert (right.code, right.data["outcome"]) == (Exit.OK, "applied")
    assert (await rollout.until(Status.RUNNING)).phase.value == "pilot"


async def test_a_rejected_gate_pauses_and_a_resume_goes_on(terminal: Terminal, rollout: Rollout) -> None:
    await rollout.to_gate()
    rejected = await terminal.program(
        "reject", rollout.name, "--as", rollout.who("sponsor"), "-m", "the quarter ends first"
    )
    assert rejected.code == Exit.OK
    paused = await terminal("get", rollout.name, "-o", "json")
    assert (paused.code, paused.data["status"]) == (Exit.PAUSED, "paused")
    assert "the quarter ends first" in paused.data["sentence"]

    wrong = await terminal("resume", rollout.name, "--as", rollout.who("compliance_owner"), *WHY)
    assert (wrong.code, "this needs" in wrong.err) == (Exit.REFUSED, True)
    right = await terminal("resume", rollout.name, "--as", rollout.who("sponsor"), *WHY)
    assert right.code == Exit.OK, right.err


async def test_a_pilot_is_paused_reviewed_overridden_resumed_and_stopped_by_command(
    terminal: Terminal, rollout: Rollout
) -> None:
    await rollout.to_pilot()
    sponsor, revops = rollout.who("sponsor"), rollout.who("revops_owner")
    paused = await terminal.program("pause", rollout.name, "--as", sponsor, "-m", "wrong price list")
    again = await terminal("pause", rollout.name, "--as", sponsor, "-m", "wrong price list")
    assert (paused.code, again.code) == (Exit.OK, Exit.REFUSED)
    assert "already paused" in again.err

    until = ("--metric", "lead_follow_up_sla", "--until", "2026-02-01")
    told = await asyncio.gather(
        terminal.program("review", rollout.name, "--as", sponsor, "-m", "numbers read together"),
        terminal("review", rollout.name, "--as", revops, *WHY),
        terminal.program("acknowledge", rollout.name, "--as", revops),
        terminal.program("override", rollout.name, *until, "--as", sponsor, *WHY),
        terminal("override", rollout.name, "--metric", "mdf_spend", "--until", "2026-02-01", "--as", sponsor, *WHY),
        terminal("override", rollout.name, *until[:3], "2025-01-01", "--as", sponsor, *WHY),
    )
    assert [one.code for one in told] == [0, 6, 0, 0, 6, 6], [one.err for one in told]
    assert "agrees to override lead_follow_up_sla" in told[3].out
    assert "the plan does not measure mdf_spend" in told[4].err
    assert "until must lie in the future" in told[5].err

    resumed = await terminal.program("resume", rollout.name, "--as", sponsor, *WHY, "-o", "json")
    assert (resumed.code, resumed.data["outcome"]) == (Exit.OK, "applied"), resumed.err

    fates = ("--finished", "keep", "--current", "withdraw", "--pending", "keep")
    not_his = await terminal("stop", rollout.name, *fates, "--as", revops, *WHY)
    assert not_his.code == Exit.REFUSED
    stopped = await terminal.program("stop", rollout.name, *fates, "--as", sponsor, "-m", "the law changed")
    assert stopped.code == Exit.OK, stopped.err
    await rollout.until(Status.STOPPED)

    ended, late, explained = await asyncio.gather(
        terminal("get", rollout.name),
        terminal("pause", rollout.name, "--as", sponsor, *WHY),
        terminal.program("explain", rollout.name),
    )
    assert (ended.code, explained.code) == (Exit.STOPPED, Exit.STOPPED)
    assert f"{len(PILOT)} partners  withdrawn" in ended.out
    assert late.code == Exit.REFUSED
    assert f"Rollout {rollout.name} is over" in late.err


async def test_a_reason_with_terminal_escapes_reaches_the_log_but_no_terminal(
    terminal: Terminal, rollout: Rollout
) -> None:
    hostile = "harmless\x1b]0;pwned\x07\x1b[2J\r\x9b31mgone"
    told = await terminal("pause", rollout.name, "--as", rollout.who("sponsor"), "-m", hostile)
    assert told.code == Exit.OK
    assert hostile in {one.rationale for one in await rollout.gateway.decisions(rollout.name)}
    # The rollout knows it before the store does.
    await rollout.at_rest()

    shown = await asyncio.gather(
        *(terminal(verb, rollout.name) for verb in ("get", "explain", "history", "decisions")),
        terminal.program("get", rollout.name, "-o", "json"),
        terminal("list"),
    )
    for one in shown:
        assert "harmless" in one.out
        assert not set("\x1b\x07\r\x9b") & set(one.out + one.err)
    on_screen = [await terminal.in_a_terminal(verb, rollout.name) for verb in ("get", "history")]
    for drawn in await asyncio.gather(*on_screen):
        assert b"harmless" in drawn
        assert b"pwned" in drawn
        assert b"\x1b]0;" not in drawn
        assert b"\x1b[2J" not in drawn
        assert b"\x9b31m" not in drawn


async def test_a_request_that_cannot_hold_is_refused_before_it_is_sent(terminal: Terminal, rollout: Rollout) -> None:
    short, nobody, foreign, undated = await asyncio.gather(
        terminal("pause", rollout.name, "--as", rollout.who("sponsor"), "-m", "no"),
        terminal.program("pause", rollout.name, *WHY),
        terminal("override", rollout.name, "--metric", "luck", "--until", "2026-02-01", "--as", "abc", *WHY),
        terminal("override", rollout.name, "--metric", "mdf_spend", "--until", "soon", "--as", "abc", *WHY),
    )
    assert [told.code for told in (short, nobody, foreign, undated)] == [2, 2, 2, 2]
    assert "reason: 'no', allowed: String should have at least 3 characters" in short.err
    assert "Nobody is signed in here" in nobody.err
    assert "'luck' is not one of 'contribution_margin'" in foreign.err
    assert "'soon'" in undated.err
    assert all(told.out == "" and len(told.err.splitlines()) == 1 for told in (short, nobody, foreign, undated))
    assert (await rollout.gateway.status(rollout.name)).refused == 0


async def test_no_request_reaches_a_rollout_that_nobody_started(terminal: Terminal) -> None:
    sponsor = ("--as", "sponsor@example.com", *WHY)
    told = await asyncio.gather(
        terminal("approve", "unheard-of", *sponsor),
        terminal("stop", "unheard-of", *sponsor),
        terminal("confirm", "unheard-of", *sponsor),
        terminal.program("get", "unheard-of"),
        terminal("get", "unheard-of", "-w", "-o", "json"),
        terminal("explain", "unheard-of"),
        terminal("history", "unheard-of"),
        terminal("decisions", "unheard-of"),
    )
    for one in told:
        assert (one.code, one.out) == (Exit.BAD_INPUT, "")
        assert "unheard-of" in one.err


async def test_a_pause_is_kept_while_no_worker_runs_and_everything_else_says_so(
    terminal: Terminal, rollout: Rollout
) -> None:
    await rollout.to_pilot()
    assert await Place(terminal.home).stop_worker()
    sponsor = rollout.who("sponsor")
    paused, asked, listed = await asyncio.gather(
        terminal.program("pause", rollout.name, "--as", sponsor, "-m", "nobody is there", "-o", "json"),
        terminal.program("get", rollout.name),
        terminal("list", "-o", "json"),
    )
    trail = await terminal("history", rollout.name)
    async with asyncio.timeout(60):
        while "nobody is there" not in trail.out:
            # The worker may have gone with a task in hand; what is sent then shows after Temporal has taken it back.
            assert "took up a task" in trail.err
            await asyncio.sleep(0.5)
            trail = await terminal("history", rollout.name)
    assert (paused.code, paused.data["outcome"]) == (Exit.OK, "pending")
    assert asked.code == Exit.UNAVAILABLE
    assert f"No worker answers for {rollout.name}" in asked.err
    assert (listed.code, trail.code) == (Exit.OK, Exit.OK)
    assert rollout.name in {one["rollout"] for one in listed.data}
    assert "took up a task" not in trail.err

    failed = await terminal("up", ROLLOUTS_LOG_LEVEL="LOUD")
    assert (failed.code, failed.out) == (Exit.ERROR, "")
    assert "The worker ended: " in failed.err
    assert "ROLLOUTS_LOG_LEVEL" in failed.err
    up = await terminal("up", "-o", "json")
    assert (up.code, up.data["migrations_applied"]) == (Exit.OK, []), up.err
    view = await rollout.until(Status.PAUSED)
    assert view.pause is not None
    assert "nobody is there" in view.pause.detail


async def test_while_the_console_is_down_a_decision_says_so_and_how_to_start_it(
    terminal: Terminal, rollout: Rollout
) -> None:
    await rollout.to_pilot()
    assert await Place(terminal.home).stop_console()
    words = ("pause", rollout.name, "--as", rollout.who("sponsor"), *WHY)
    told = await terminal(*words)
    assert (told.code, told.out, len(told.err.splitlines())) == (Exit.UNAVAILABLE, "", 1)
    assert "The console of " in told.err
    assert "does not run, and what people decide goes through it; `rollouts up` starts it" in told.err
    # Whoever types the servers' names has to type that of the service, too.
    state = Place(terminal.home).state()
    assert state is not None
    named = {"ROLLOUTS_DATABASE_DSN": state.dsn, "TEMPORAL_ADDRESS": state.temporal_address}
    unnamed = await terminal(*words, **named)
    assert (unnamed.code, "ROLLOUTS_PUBLIC_URL not where the service" in unnamed.err) == (Exit.UNAVAILABLE, True)
    away = await terminal(*words, **named, ROLLOUTS_PUBLIC_URL="http://127.0.0.1:9")
    assert (away.code, "The service at http://127.0.0.1:9 cannot be reached" in away.err) == (Exit.UNAVAILABLE, True)
    assert (await rollout.gateway.status(rollout.name)).status is Status.RUNNING
    up = await terminal("up")
    assert up.code == 0, up.err
    paused = await terminal(*words)
    assert paused.code == 0, paused.err


def test_every_verb_that_people_have_is_a_command() -> None:
    from cli.explain import COMMANDS

    # What the watch reports, people do not type.
    assert set(Verb) - set(COMMANDS) == {Verb.REPORT_BREACH, Verb.REPORT_EVIDENCE}
