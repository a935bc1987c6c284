"""start, list, get, explain: what is started once, where it stands, and a view that ends when the rollout is over."""

from __future__ import annotations

import asyncio
import itertools
import json
from uuid import uuid4

from cli.output import Exit
from console.gateway import Gateway
from models.command import Verb
from models.plan import Fate, RolloutPlan, StopResolution
from models.rollout import Status
from tests.cli.conftest import PATIENCE, START, Rollout, Terminal, Told, finished, write_plan
from tests.plans import make_plan, plan_data
from tests.worker.process import patiently

WITHDRAW = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)


async def test_a_plan_is_started_once_and_another_version_or_clock_under_its_id_is_refused(terminal: Terminal) -> None:
    plan = make_plan(id=f"plan-{uuid4().hex[:8]}")
    file = str(write_plan(terminal.folder, plan))
    dated = ("--clock-start", "2026-01-05")
    dry = await terminal("start", "-f", file, "--dry-run", "-o", "json")
    assert (dry.code, dry.data["started"], dry.data["dry_run"]) == (Exit.OK, False, True)
    assert (await terminal("history", plan.id)).code == Exit.BAD_INPUT

    first = await terminal.program("start", "-f", file, *dated, "-o", "json")
    assert (first.code, first.document["kind"], first.data["started"]) == (Exit.OK, "start", True)
    assert first.data["digest"] == plan.digest
    again = await terminal("start", "-f", file, *dated)
    assert (again.code, f"{plan.id} was started before" in again.out) == (Exit.OK, True)
    other_clock = await terminal("start", "-f", file, *dated, "--speed", "2")
    assert (other_clock.code, other_clock.out) == (Exit.REFUSED, "")
    assert "another programme clock" in other_clock.err
    changed = write_plan(terminal.folder, make_plan(id=plan.id, decision="Another decision."))
    refused = await terminal("start", "-f", str(changed), *dated)
    assert refused.code == Exit.REFUSED
    assert f"Another version of {plan.id} runs or ran" in refused.err

    # The list is the store's, where the rollout registers by itself.
    async def registered() -> Told | None:
        shown = await terminal("list")
        return shown if plan.id in shown.out else None

    await patiently(registered, lambda: f"{plan.id} is not listed")
    listed = await terminal.program("list", "-o", "json")
    assert [one["digest"] for one in listed.data if one["rollout"] == plan.id] == [plan.digest]


def _selecting(pilot: str, wave: str) -> RolloutPlan:
    """A plan whose cohorts are selected by tier."""
    cohorts = plan_data()["cohorts"]
    del cohorts["control"]
    cohorts["pilot"] = {"name": "pilot", "select": {"tier": [pilot], "limit": 12}}
    cohorts["waves"] = [{"name": "last", "select": {"tier": [wave]}, "bake": "14d"}]
    return make_plan(id=f"plan-{uuid4().hex[:8]}", cohorts=cohorts)


async def test_a_pilot_that_selects_nobody_does_not_start_and_of_a_wave_it_is_a_warning(
    terminal: Terminal, gateway: Gateway
) -> None:
    """All partners here are gold. A rollout cannot begin without anybody, and would wait for ever."""
    nobody, later = _selecting("diamond", "gold"), _selecting("gold", "diamond")
    told = (
        "cohorts.pilot.select: found 0 partners for pilot as of 2026-01-05; "
        "allowed: what some of the 48 active partners known by then have: tier gold."
    )
    file, dated = str(write_plan(terminal.folder, nobody)), ("--clock-start", "2026-01-05")
    for words in (("--dry-run",), ()):
        refused = await terminal("start", "-f", file, *dated, *words)
        assert (refused.code, refused.out, refused.err.strip()) == (Exit.BAD_INPUT, "", told)
    assert (await terminal("get", nobody.id)).code == Exit.BAD_INPUT

    file = str(write_plan(terminal.folder, later))
    started = await terminal("start", "-f", file, *dated)
    assert (started.code, f"{later.id} started" in started.out) == (Exit.OK, True), started.err
    assert "Warning: cohorts.waves.0.select: found 0 partners for last as of 2026-01-05; allowed: " in started.err

    async def holding() -> Told | None:
        shown = await terminal("get", later.id)
        return shown if "no partner is selected by cohort last" in shown.out else None

    await patiently(holding, lambda: f"{later.id} does not say what it holds for")
    # What runs is not refused, whoever may have left since.
    assert await gateway.start(nobody, START, 1.0)
    again = await terminal("start", "-f", str(write_plan(terminal.folder, nobody)), *dated)
    assert (again.code, f"{nobody.id} was started before" in again.out) == (Exit.OK, True), again.err


async def test_a_plan_that_does_not_hold_is_refused_with_its_place(terminal: Terminal) -> None:
    file = terminal.folder / "wrong.yaml"
    file.write_text(json.dumps(plan_data(chosen="Z"), indent=1), encoding="utf-8")
    told, missing = await asyncio.gather(
        terminal("start", "-f", str(file), "-o", "json"), terminal("start", "-f", str(file.with_name("none.yaml")))
    )
    assert (told.code, told.out) == (Exit.BAD_INPUT, "")
    assert f"{file}:" in told.err
    assert (missing.code, "none.yaml" in missing.err) == (Exit.BAD_INPUT, True)


async def test_explain_names_who_is_awaited_and_the_command_that_would_help(
    terminal: Terminal, rollout: Rollout
) -> None:
    told = await terminal.program("explain", rollout.name)
    assert told.code == Exit.WAITS
    assert "6 of 6 owners have still to confirm" in told.out
    assert f"    rollouts confirm {rollout.name} --as {rollout.who('sponsor')}\n" in told.out
    assert "approve, reject  no " in told.out

    await rollout.to_gate()
    gate, proposer = await asyncio.gather(
        terminal("explain", rollout.name),
        terminal("explain", rollout.name, "--as", rollout.who("programme_owner"), "-o", "json"),
    )
    command = f'rollouts approve {rollout.name} --as {rollout.who("sponsor")} -m "why"'
    assert f"    {command}\n" in gate.out
    actions = {one["verb"]: one for one in proposer.data["actions"]}
    assert not actions["decide"]["allowed"]
    assert "is not among those who may" in actions["decide"]["why_not"]
    assert actions["pause"]["allowed"]


async def test_watching_prints_a_line_per_change_and_ends_when_the_rollout_is_over(
    terminal: Terminal, rollout: Rollout
) -> None:
    lines = await terminal.start("get", rollout.name, "-w")
    documents = await terminal.start("get", rollout.name, "-w", "-o", "json")
    drawn = await terminal.in_a_terminal("get", rollout.name, "-w")
    few = await terminal.piped("get", rollout.name, "-w")
    # They have all begun to watch once each has said something.
    assert lines.stdout is not None
    assert documents.stdout is not None
    first_line, first_document = await asyncio.gather(lines.stdout.readline(), documents.stdout.readline())
    assert "prepare" in await few.a_line_and_no_more()
    await rollout.to_pilot()
    printed = [first_line.decode().rstrip()]
    while "running · pilot · Running pilot." not in printed[-1]:
        line = (await asyncio.wait_for(lines.stdout.readline(), PATIENCE)).decode()
        assert line, f"it ended: {printed}"
        printed.append(line.rstrip())
    await rollout.ask(Verb.STOP, "sponsor", "seen enough", resolution=WITHDRAW)

    # As `head` does: nobody is wrong when the reader has seen enough.
    assert await few.ended() == Exit.OK
    told, json_told, screen = await asyncio.gather(finished(lines), finished(documents), drawn)
    assert (told.code, json_told.code) == (Exit.STOPPED, Exit.STOPPED)
    printed += told.out.splitlines()
    assert "◌ running · prepare · Preparing" in printed[0]
    assert "✖ stopped" in printed[-1]
    # A line is a change: no two that follow one another say the same but for the clock.
    said = [line.partition(" ")[2].partition(" ")[2] for line in printed]
    assert all(one != following for one, following in itertools.pairwise(said))
    found = [json.loads(line) for line in (first_document.decode(), *json_told.out.splitlines())]
    assert {one["kind"] for one in found} == {"rollout"}
    assert [found[0]["data"]["status"], found[-1]["data"]["status"]] == [Status.RUNNING, Status.STOPPED]
    text = screen.decode()
    assert "\x1b[" in text
    assert "├── " in text
    assert "Stopped before the end of the plan" in text


async def test_watching_gives_up_after_its_timeout_with_the_code_of_where_it_stands(
    terminal: Terminal, rollout: Rollout
) -> None:
    told = await terminal("get", rollout.name, "-w", "--timeout", "0")
    assert told.code == Exit.WAITS
    assert len(told.out.splitlines()) == 1
