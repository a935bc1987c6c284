"""record, next-cycle and judge-pause at the terminal, of rollouts on real servers."""

from __future__ import annotations

import os
from pathlib import Path

from cli.output import Exit
from models.command import Verb
from models.log import EntryKind
from models.rollout import Status
from tests.cli.conftest import Rollout, Terminal
from tests.worker.process import patiently


async def _recorded(terminal: Terminal, rollout: Rollout, kind: EntryKind) -> int:
    """The sequence of the newest entry of a kind, once the store has it."""

    async def look() -> int | None:
        told = await terminal("decisions", rollout.name, "-o", "json")
        found = [one["sequence"] for one in told.data if one["kind"] == kind] if told.code == Exit.OK else []
        return int(found[-1]) if found else None

    return await patiently(look, lambda: f"no {kind.value} in the log")


async def test_a_pause_is_judged_and_stands_in_record_and_next_plan(
    terminal: Terminal, rollout: Rollout, tmp_path: Path
) -> None:
    await rollout.to_pilot()
    await rollout.ask(Verb.PAUSE, "revops_owner", "the feed looked wrong")
    await rollout.until(Status.PAUSED)
    pause = await _recorded(terminal, rollout, EntryKind.PAUSE)

    wrong = await terminal(
        *("judge-pause", rollout.name, "--pause", "1", "--verdict", "right", "-m", "it was right"),
        *("--as", rollout.who("revops_owner")),
    )
    assert wrong.code == Exit.REFUSED
    assert f"entry 1 is no pause of this rollout that can be judged; its pauses: {pause}" in wrong.err
    stranger = await terminal(
        *("judge-pause", rollout.name, "--pause", str(pause), "--verdict", "right", "-m", "it was right"),
        *("--as", rollout.who("enablement_owner")),
    )
    assert stranger.code == Exit.REFUSED
    judged = await terminal(
        *("judge-pause", rollout.name, "--pause", str(pause), "--verdict", "false-alarm", "-m", "only a late file"),
        *("--as", rollout.who("revops_owner"), "-o", "json"),
    )
    assert (judged.code, judged.data["outcome"]) == (Exit.OK, "applied")
    await _recorded(terminal, rollout, EntryKind.REVIEW)

    folder = tmp_path / "record"
    written = await terminal("record", rollout.name, "--out", str(folder), "-o", "json")
    assert written.code == Exit.OK, written.err
    assert {"record.md", "record.html", "gates/01-prepare-to-pilot.md"} <= set(written.data["files"])
    text = (folder / "record.md").read_text(encoding="utf-8")
    assert "judged a false alarm; Rev Ops: a false alarm (only a late file)" in text
    assert "Sam Sponsor (sponsor) | approved" in text
    again = await terminal("record", rollout.name, "--out", str(folder))
    assert again.code == Exit.BAD_INPUT
    assert "exists; --force writes into it" in again.err
    forced = await terminal("record", rollout.name, "--out", str(folder), "--language", "ja", "--force")
    assert forced.code == Exit.OK
    assert "決定記録" in (folder / "record.html").read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["record"]

    plan = tmp_path / "next.yaml"
    drafted = await terminal("next-cycle", rollout.name, "-O", str(plan), "-o", "json")
    assert drafted.code == Exit.OK, drafted.err
    assert drafted.data["id"] != rollout.name
    valid = await terminal("plan", "validate", str(plan), "-o", "json")
    assert (valid.code, valid.data[0]["digest"]) == (Exit.OK, drafted.data["digest"])
    assert "not over yet" in plan.read_text(encoding="utf-8")
    over = await terminal("next-cycle", rollout.name, "-O", str(plan))
    assert over.code == Exit.BAD_INPUT
    listed = await terminal("list", "-o", "json")
    assert drafted.data["id"] not in {one["rollout"] for one in listed.data}


async def test_without_accepted_evidence_there_is_no_next_plan(
    terminal: Terminal, rollout: Rollout, tmp_path: Path
) -> None:
    await rollout.to_gate()
    await _recorded(terminal, rollout, EntryKind.BASELINE)
    plan = tmp_path / "next.yaml"
    told = await terminal("next-cycle", rollout.name, "-O", str(plan))
    assert told.code == Exit.BAD_INPUT
    assert f"{rollout.name} never left prepare: no gate was passed, so no evidence was accepted" in told.err
    assert not plan.exists()


async def test_an_unknown_rollout_and_a_folder_that_cannot_be_written_are_told(
    terminal: Terminal, rollout: Rollout, tmp_path: Path
) -> None:
    for verb in (("record", "--out", str(tmp_path / "there")), ("next-cycle",)):
        told = await terminal(verb[0], "there-is-none", *verb[1:])
        assert told.code == Exit.BAD_INPUT
        assert "The store has no rollout there-is-none" in told.err
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    await _recorded(terminal, rollout, EntryKind.PHASE)
    told = await terminal("record", rollout.name, "--out", str(tmp_path / "file" / "below"))
    assert told.code == Exit.BAD_INPUT
    assert "cannot be written" in told.err
    assert not (tmp_path / "there").exists()
