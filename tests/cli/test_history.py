"""The audit trail: every request with what came of it, across runs, and nothing hidden that cannot be read."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.common import RawValue
from temporalio.service import RPCError

from audit.trail import Kind, Line, settle
from cli.database import connection
from cli.home import Place
from cli.output import Exit
from models.command import Verb
from models.names import rollout_workflow_id
from models.rollout import Status
from tests.cli.conftest import START, Rollout, Terminal, Told
from tests.worker.process import patiently


async def _runs(rollout: Rollout) -> list[str]:
    return [run_id async for run_id, _ in rollout.gateway.runs(rollout.name)]


async def _to_another_run(rollout: Rollout) -> list[str]:
    """Ask until the rollout has continued as new; its runs, the newest first."""
    for number in range(200):
        runs = await _runs(rollout)
        if len(runs) > 1:
            return runs
        await rollout.ask(Verb.ACKNOWLEDGE, "finance_owner", f"noted {number}")
    raise AssertionError("it never continues as new")


async def test_the_trail_tells_who_asked_for_what_why_on_what_evidence_and_what_came_of_it(
    terminal: Terminal, rollout: Rollout
) -> None:
    gate = (await rollout.to_gate()).gate
    assert gate is not None
    sponsor, finance = rollout.who("sponsor"), rollout.who("finance_owner")
    await terminal("approve", rollout.name, "--as", finance, "-m", "looks good to me")
    await terminal("approve", rollout.name, "--as", sponsor, "-m", "the numbers hold")
    # Who asks is answered before it is recorded.
    await rollout.at_rest()

    told = await terminal.program("history", rollout.name, "-o", "json")
    assert (told.code, told.document["kind"]) == (Exit.OK, "history")
    lines = told.data["lines"]
    decided = [line for line in lines if line["what"] == "decide approve prepare_to_pilot"]
    assert [(one["who"], one["why"], one["outcome"]) for one in decided] == [
        (finance, "looks good to me", "refused"),
        (sponsor, "the numbers hold", "applied"),
    ]
    assert {one["evidence"] for one in decided} == {gate.digest}
    assert "this needs sponsor" in decided[0]["message"]
    assert decided[1]["message"] == "Sam Sponsor approved prepare_to_pilot (1 of 1)"
    assert all(one["identity"] for one in decided)

    # Every entry of the log stands in it once: beside the request it answers, or by itself.
    numbers = sorted(number for line in lines for number in line["entries"])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= decided[1]["entries"][0]

    table = await terminal("history", rollout.name)
    number = decided[0]["entries"][0]
    shown = " ".join(table.out.split())
    assert f"{finance} decide approve prepare_to_pilot refused #{number}: Fin Finance is finance_owner" in shown
    assert "steps of Temporal's own; --all shows them" in table.err


async def test_the_trail_crosses_continue_as_new_and_says_where_an_older_run_is_gone(
    terminal: Terminal, rollout: Rollout
) -> None:
    await rollout.to_pilot()
    newest, *older = await _to_another_run(rollout)
    whole = await _settled(terminal, rollout)
    assert whole.data["missing_run"] is None
    lines = whole.data["lines"]
    assert list(dict.fromkeys(line["run_id"] for line in lines)) == [*reversed(older), newest]
    assert f"continued as new in run {newest}" in {line["what"] for line in lines}
    assert lines[0]["what"] == "started"
    confirmed = [line for line in lines if line["what"].startswith("confirm_ownership")]
    assert [line["outcome"] for line in confirmed] == ["applied"] * 6
    # Nothing that was asked for is without its outcome, also where that was recorded in the next run.
    assert {line["outcome"] for line in lines if line["kind"] == "request"} <= {"applied", "refused"}

    await _delete(rollout, older[0])
    rest = await terminal("history", rollout.name, "-o", "json")
    assert rest.code == Exit.OK
    assert rest.data["missing_run"] == older[0]
    shown = rest.data["lines"]
    assert {line["run_id"] for line in shown if line["source"] != "log"} == {newest}
    # What the deleted run had told of stands in the log alone, and nothing of it is missing.
    numbers = sorted(number for line in shown for number in line["entries"])
    assert numbers == list(range(1, numbers[-1] + 1))
    assert next(line["entries"] for line in shown if line["source"] == "log") == [1]
    assert not [line for line in shown if line["disagrees"]]
    assert f"run {older[0]} before it is past retention" in rest.err
    log = await terminal.program("decisions", rollout.name, "-o", "json")
    assert [entry["sequence"] for entry in log.data] == list(range(1, len(log.data) + 1))
    assert log.data[0]["message"].startswith("Decision log opened")


async def _settled(terminal: Terminal, rollout: Rollout) -> Told:
    """The trail, once what came of the newest request is recorded too."""

    async def look() -> Told | None:
        told = await terminal("history", rollout.name, "-o", "json")
        return told if "not recorded" not in {line["outcome"] for line in told.data["lines"]} else None

    return await patiently(look, lambda: "a request is never recorded")


async def _delete(rollout: Rollout, run_id: str) -> None:
    """Remove a closed run as retention does, and wait until it is gone."""
    client = rollout.gateway.client
    execution = WorkflowExecution(workflow_id=rollout_workflow_id(rollout.name), run_id=run_id)
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)

    async def gone() -> bool | None:
        try:
            await rollout.gateway.handle(rollout.name, run_id).fetch_history()
        except RPCError:
            return True
        return None

    await patiently(gone, lambda: "the run is still there")


async def _refused(rollout: Rollout, requests: int) -> None:
    """Wait until so many are, and recorded as that."""

    async def look() -> bool | None:
        return (await rollout.gateway.status(rollout.name)).refused == requests or None

    await patiently(look, lambda: "not everything was refused")
    await rollout.at_rest()


async def test_refused_raw_signals_are_shown_as_they_were_sent_also_those_nobody_can_read(
    terminal: Terminal, rollout: Rollout
) -> None:
    handle = rollout.gateway.handle(rollout.name)
    secret = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\x01secret")
    raw = Payload(metadata={"encoding": b"binary/plain"}, data=b"\xff\xfe")
    broken = Payload(metadata={"encoding": b"json/plain"}, data=b"{not json")
    sent: list[tuple[str, list[Any]]] = [
        ("decide", [RawValue(secret)]),
        ("pause", [RawValue(raw)]),
        ("resume", [RawValue(broken)]),
        ("stop", ["please"]),
        ("review", []),
        ("acknowledge", ["one", "two"]),
        ("make it so", [{"actor": "mallory", "reason": "because I say so"}]),
        ("pause", [{"actor": "mallory", "reason": "no request id"}]),
    ]
    for name, arguments in sent:
        await handle.signal(name, args=arguments)
    await _refused(rollout, len(sent))

    told = await terminal("history", rollout.name, "-o", "json")
    asked = [line for line in told.data["lines"] if line["kind"] == "request"]
    assert [line["verb"] for line in asked] == [name for name, _ in sent]
    assert [line["outcome"] for line in asked] == ["refused"] * len(sent)
    assert len({line["entries"][0] for line in asked}) == len(sent)
    encrypted = asked[0]["arguments"][0]
    assert (encrypted["encoding"], encrypted["bytes"]) == ("binary/encrypted", 8)
    assert base64.b64decode(encrypted["base64"]) == b"\x00\x01secret"
    assert "not JSON" in asked[0]["message"]
    assert asked[1]["arguments"][0]["bytes"] == 2
    assert base64.b64decode(asked[2]["arguments"][0]["base64"]) == b"{not json"
    assert asked[3]["arguments"] == ["please"]
    assert asked[4]["why"] == "no arguments"
    assert asked[5]["arguments"] == ["one", "two"]
    assert "no such operation" in asked[6]["message"]
    assert (asked[7]["who"], asked[7]["why"]) == ("mallory", "no request id")

    table = await terminal("history", rollout.name)
    assert f"Requests: {len(sent)}, refused: {len(sent)}." in table.err
    assert "binary/encrypted" in table.out
    assert "'please'" in table.out


async def test_the_same_request_twice_is_one_decision_and_one_refused_repetition(
    terminal: Terminal, rollout: Rollout
) -> None:
    handle = rollout.gateway.handle(rollout.name)
    sponsor = rollout.who("sponsor")
    request = {"request_id": "same-request", "actor": sponsor, "reason": "sent twice"}
    for _ in range(2):
        await handle.signal("pause", request)
    await rollout.until(Status.PAUSED)
    await _refused(rollout, 1)
    told = await terminal("history", rollout.name, "-o", "json")
    asked = [line for line in told.data["lines"] if line["request_id"] == "same-request"]
    assert [line["outcome"] for line in asked] == ["applied", "refused"]
    assert "duplicate" in asked[1]["message"]


async def test_a_terminated_rollout_says_so_in_its_trail(terminal: Terminal, rollout: Rollout) -> None:
    await rollout.at_rest()
    await rollout.gateway.handle(rollout.name).terminate("and a detail", reason="pulled the plug")
    told = await terminal("history", rollout.name)
    assert "terminated, outside the plan" in told.out
    assert "pulled the plug" in told.out
    raw = await terminal("history", rollout.name, "-o", "json")
    last = [line for line in raw.data["lines"] if line["kind"] != "letter"][-1]
    assert last["arguments"] == ["and a detail"], "a letter that raises the alarm may follow"


async def test_all_shows_every_event_that_temporal_has(terminal: Terminal, rollout: Rollout) -> None:
    # What the log has of a later step than the history that was read before it has no event.
    await rollout.at_rest()
    told = await terminal("history", rollout.name, "--all", "-o", "json")
    shown = {line["event_id"] for line in told.data["lines"]}
    events = (await rollout.gateway.handle(rollout.name).fetch_history()).events
    # Events in which the rollout recorded entries show these instead of themselves.
    assert shown == set(range(1, max(shown) + 1))
    assert len(shown) <= len(events)
    # It may also say that a worker has just taken up a task.
    assert told.err.startswith("Requests: 0, refused: 0. Runs in the chain: 1.\n")


def _line(kind: Kind, number: int, **more: Any) -> Line:
    return Line(at=START, run_id="r", event_id=number, kind=kind, what="x", **more)


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_without_any_entry_is_shown_as_not_recorded(answered: bool) -> None:
    request = _line(Kind.REQUEST, 1, request_id="a", verb="pause")
    entry = _line(Kind.ENTRY, 2, request_id="a" if answered else "b", outcome="applied", entries=(7,))
    settled = settle([request, entry])
    assert settled[0].outcome == ("applied" if answered else "not recorded")
    assert len(settled) == (1 if answered else 2)


def test_a_pending_request_is_settled_by_its_last_entry_and_keeps_the_number_of_each() -> None:
    request = _line(Kind.REQUEST, 1, request_id="a", verb="resume")
    pending = _line(Kind.ENTRY, 2, request_id="a", outcome="pending", entries=(7,), message="examined")
    done = _line(Kind.ENTRY, 3, request_id="a", outcome="refused", entries=(9,), message="the breach stands")
    (settled,) = settle([request, pending, done])
    assert (settled.outcome, settled.message, settled.entries) == ("refused", "the breach stands", (7, 9))


async def test_filters_and_files_show_the_same_rows(terminal: Terminal, rollout: Rollout) -> None:
    gate = (await rollout.to_gate()).gate
    assert gate is not None
    finance = rollout.who("finance_owner")
    await terminal("approve", rollout.name, "--as", finance, "-m", "=1+1")
    await rollout.at_rest()
    told = await terminal("history", rollout.name, "--verb", "decide", "--refused", "-o", "json")
    [line] = told.data["lines"]
    assert (line["who"], line["outcome"], line["source"]) == (finance, "refused", "history, log")
    assert "1 of " in told.err
    assert (await terminal("history", rollout.name, "--until", "2001-01-01", "-o", "json")).data["lines"] == []
    assert (await terminal("history", rollout.name, "--since", "soon")).code == Exit.BAD_INPUT
    table = await terminal.program("history", rollout.name, "--who", "fin.finance", "-o", "csv", "--refused")
    head, row = csv.reader(io.StringIO(table.out))
    assert dict(zip(head, row, strict=True))["why"] == "'=1+1"
    page = await terminal("history", rollout.name, "--refused", "-o", "md")
    assert page.out.startswith(f"# Timeline of {rollout.name}")
    assert "decide approve prepare\\_to\\_pilot" in page.out


async def test_where_log_and_history_disagree_the_row_says_how_and_the_exit_code_is_not_zero(
    terminal: Terminal, rollout: Rollout
) -> None:
    """Somebody who owns the database wrote another reason into the log."""
    await rollout.at_rest()
    await terminal("pause", rollout.name, "--as", rollout.who("sponsor"), "-m", "wait for the auditors")
    await rollout.at_rest()
    assert (await terminal("history", rollout.name)).code == Exit.OK
    async with connection(Place(terminal.home)) as conn, conn.transaction():
        await conn.execute("alter table decision_log disable trigger all")
        await conn.execute(
            "update decision_log set entry = jsonb_set(entry, '{rationale}', '\"never mind\"')"
            " where rollout_id = $1 and kind = 'pause'",
            rollout.name,
        )
        await conn.execute("alter table decision_log enable trigger all")
    told = await terminal("history", rollout.name, "--verb", "pause")
    assert told.code == Exit.ERROR
    assert "rationale is 'never mind' in the log, and 'wait for the auditors' in the history" in told.err
    assert "DISAGREEMENT" in told.out


async def test_what_temporal_has_forgotten_is_told_by_the_log_alone(terminal: Terminal, rollout: Rollout) -> None:
    await rollout.to_gate()
    await rollout.at_rest()
    await rollout.gateway.handle(rollout.name).terminate()
    await _delete(rollout, (await _runs(rollout))[0])

    async def gone() -> Told | None:
        told = await terminal("history", rollout.name, "-o", "json")
        return told if told.code == Exit.OK and not told.data["runs"] else None

    last = await terminal("history", rollout.name)
    told = await patiently(gone, lambda: f"Temporal does not forget it: {last}")
    # Once a minute the worker looks for what has become of rollouts, and writes to somebody that this one is gone.
    letters = [line for line in told.data["lines"] if line["kind"] == "letter"]
    assert {line["source"] for line in told.data["lines"] if line not in letters} == {"log"}
    assert {line["what"] for line in letters} <= {"letter workflow-alarm"}
    assert "this is the log alone" in told.err
