"""Yesterday's histories replay with today's code; one that was tampered with does not, so the check can fail."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflows.scenarios_signed import PATHS
from worker.plugin import rollouts_plugin
from workflows.marks import (
    AGREEMENTS,
    ANSWERED,
    BOTH_NAMES,
    EACH,
    EXPORT_FIRST,
    EXPORTS,
    FEWER,
    HEARD,
    HERE,
    IN_PLACE,
    KEEPS,
    LETTERS,
    LOGGED,
    MEANWHILE,
    ONCE,
    TOGETHER,
    WORD,
    WRITABLE,
)

LOCAL = "core_local_activity"
_LOOKING = ("look_at_metrics", "fetch_metrics", "assess_thresholds")

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(path.name.removesuffix(".json.gz") for path in HISTORIES.glob("*.json.gz"))


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress((HISTORIES / f"{name}.json.gz").read_bytes()))
    return found


async def _replay(name: str, history: dict[str, Any]) -> None:
    replayer = Replayer(workflows=[], plugins=[rollouts_plugin()])
    await replayer.replay_workflow(WorkflowHistory.from_json(f"rollout/{name}", json.dumps(history)))


def test_every_path_is_recorded() -> None:
    assert set(PATHS) <= set(RECORDED)
    assert {name for name in RECORDED if _marks(name)} >= {"happy_2", "breach_pause_resume_2", "stopped_2"}
    every_letter = {"letters_pause", "letters_stop", "letters_holds", "letters_automatic_stop", "agreement"}
    on_a_word = {"forged_words", "breach_pause_resume_3", "override_2", "automatic_stop_2", "signed_automatic_stop"}
    on_a_word |= {"letters_pause", "letters_automatic_stop", "closing_automatic_stop", "agreement", "closing_agreement"}
    on_a_word |= {"asked_meanwhile", "logged_pause", "logged_override"}
    logged = {name for name in RECORDED if name.startswith("logged_")}
    each = {"each_question", "no_text", "signed_late_key"}
    once = {name for name in RECORDED if ONCE in _named(name)}
    today = {"today_breach"}
    assert once == {name for name in RECORDED if name.startswith("once_")} | today
    assert once >= {"once_completed", "once_stopped", "once_pause", "once_words", "once_signed", "once_runs_1"}
    assert {mark for name in once for mark in _named(name)} == {ONCE, HERE}, "it says so of all marks before it"
    fewer = {name for name in RECORDED if FEWER in _named(name)}
    assert fewer == {name for name in RECORDED if name.startswith("fewer_")}
    assert fewer >= {"fewer_completed", "fewer_stopped", "fewer_pause", "fewer_words", "fewer_signed", "fewer_runs_2"}
    assert "fewer_apart" in fewer
    assert {mark for name in fewer for mark in _named(name)} == {FEWER, IN_PLACE, BOTH_NAMES}
    in_place = {"fewer_in_place", "fewer_owner_alone", "fewer_both_names"}
    assert {name for name in RECORDED if IN_PLACE in _named(name)} == in_place
    assert "fewer_not_in_place" in fewer, "in which such a pause was refused"
    assert {name for name in RECORDED if BOTH_NAMES in _named(name)} == {"fewer_both_names"}
    first = {name for name in RECORDED if EXPORT_FIRST in _named(name)}
    here = {"here_forged_words", "here_breach_pause_resume", "here_automatic_stop"}
    heard, proven = {"heard_while_behind"}, {"proven_words"}
    assert first == {name for name in RECORDED if name.startswith("first_")} | here | heard | proven
    assert {name for name in RECORDED if HERE in _named(name)} == here | today
    assert first >= {"first_completed", "first_stopped", "first_runs_1"}
    assert {name for name in RECORDED if LOGGED in _named(name)} == logged | each | first
    assert logged >= {"logged_happy", "logged_stopped", "logged_signed", "logged_runs_5"}
    kept = {name for name in RECORDED if KEEPS in _named(name)}
    assert kept == {name for name in RECORDED if name.startswith("kept_")} | {"stopped_while_keeping"} | each | first
    assert kept >= {"kept_completed", "kept_stopped", "kept_signed", "kept_runs_5"}
    exported = {name for name in RECORDED if EXPORTS in _named(name)}
    assert exported == logged | kept | {name for name in RECORDED if name.startswith("closing_")} | {
        *("stopped_while_exporting", "asked_meanwhile", "word_lost")
    }
    assert exported >= {"closing_happy", "closing_stopped", "closing_runs_5"}
    assert {name for name in RECORDED if WORD in _named(name)} == on_a_word | heard
    assert {name for name in RECORDED if MEANWHILE in _named(name)} == {"asked_meanwhile", "each_question"}
    assert {name for name in RECORDED if EACH in _named(name)} == {"each_question"}
    assert {name for name in RECORDED if HEARD in _named(name)} == heard
    assert {name for name in RECORDED if WRITABLE in _named(name)} == {"no_text"}
    assert {name for name in RECORDED if ANSWERED in _named(name)} == {"signed_late_key"}
    assert {name for name in RECORDED if LETTERS in _named(name)} == every_letter | exported
    assert {name for name in RECORDED if AGREEMENTS in _named(name)} == {"agreement"} | exported
    assert {f"{path}_{run}" for path in ("continue_as_new", "watch") for run in (1, 2)} <= set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_history_replays(name: str) -> None:
    await _replay(name, _read(name))


def test_a_word_is_judged_without_the_server() -> None:
    """Two that were forged, the watch's own, which halts, and one of what was dealt with before a resume."""
    events = _read("here_forged_words")["events"]
    marks = [one.get("markerRecordedEventAttributes", {}) for one in events]
    local = [_text(one["details"]["data"]) for one in marks if one.get("markerName") == LOCAL]
    assert [json.loads(one)["activity_type"] for one in local] == ["assess_thresholds"] * 4


def test_a_request_says_of_which_rollout_it_is_only_where_its_history_is_of_another_run() -> None:
    """Temporal says it of the first run; of a later one it would say another chain."""
    assert {"key" in one for one in _requests("fewer_runs_1")} == {False}
    assert {"key" in one for one in _requests("fewer_runs_2")} == {True}


def _requests(name: str) -> list[dict[str, Any]]:
    """What a run has asked of activities."""
    asked = [one.get("activityTaskScheduledEventAttributes") for one in _read(name)["events"]]
    return [json.loads(_text(one["input"])) for one in asked if one]


def _text(data: dict[str, Any]) -> str:
    return "".join(base64.b64decode(one["data"]).decode() for one in data["payloads"])


def _marks(name: str) -> list[int]:
    """The events that tell by which order of steps a run goes."""
    marked = [event.get("markerRecordedEventAttributes", {}) for event in _read(name)["events"]]
    return [at for at, mark in enumerate(marked) if mark.get("markerName") == "core_patch"]


def _named(name: str) -> set[str]:
    """What the marks of a run are called."""
    events = _read(name)["events"]
    return {one for at in _marks(name) for one in _names(events[at])}


def _names(event: dict[str, Any]) -> set[str]:
    details = event["markerRecordedEventAttributes"]["details"]
    payloads = [one for data in details.values() for one in data["payloads"]]
    return {json.loads(base64.b64decode(one["data"]))["id"] for one in payloads}


async def test_a_run_that_this_release_cannot_read_waits_for_one_that_can() -> None:
    """It has gone on with another: ended, it would leave partners enrolled with nobody watching."""
    history = _read("fewer_pause")
    payload = history["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]
    given = json.loads(base64.b64decode(payload["data"])) | {"of_tomorrow": 1}
    payload["data"] = base64.b64encode(json.dumps(given).encode()).decode()
    with pytest.raises(RuntimeError, match="of_tomorrow"):
        await _replay("fewer_pause", history)


async def test_a_run_that_is_marked_for_another_order_of_steps_does_not_replay() -> None:
    history = _read("happy_2")
    [at] = _marks("happy_2")
    text = json.dumps(history["events"][at])
    mark = base64.b64encode(json.dumps({"id": TOGETHER, "deprecated": False}, separators=(",", ":")).encode()).decode()
    assert mark in text
    other = base64.b64encode(b'{"id":"another-order","deprecated":false}').decode()
    history["events"][at] = json.loads(text.replace(mark, other))
    with pytest.raises(NondeterminismError):
        await _replay("happy_2", history)


async def test_a_history_in_which_an_enrolment_became_a_withdrawal_does_not_replay() -> None:
    history = _read("happy")
    for event in history["events"]:
        activity = event.get("activityTaskScheduledEventAttributes")
        if activity and activity["activityType"]["name"] == "enrol_partners":
            activity["activityType"]["name"] = "withdraw_partners"
            break
    with pytest.raises(NondeterminismError):
        await _replay("happy", history)


async def test_a_run_from_whose_carry_an_approval_was_taken_does_not_replay() -> None:
    """One of two approvals was given in an earlier run: without it the pilot would not have been enrolled."""
    history = _read("continue_as_new_3")
    payload = history["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]
    carry = json.loads(base64.b64decode(payload["data"]))
    assert len(carry["state"]["gate"]["approvals"]) == 1
    carry["state"]["gate"]["approvals"] = []
    payload["data"] = base64.b64encode(json.dumps(carry).encode()).decode()
    with pytest.raises(NondeterminismError):
        await _replay("continue_as_new_3", history)


async def test_a_rollout_that_ended_without_exporting_does_not_replay() -> None:
    history = _read("closing_stopped")
    exports = [
        event["activityTaskScheduledEventAttributes"]
        for event in history["events"]
        if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == "export_history"
    ]
    assert len(exports) == 4
    exports[-1]["activityType"]["name"] = "record_decisions"
    with pytest.raises(NondeterminismError):
        await _replay("closing_stopped", history)


def test_a_look_that_has_failed_is_done_in_two_parts_until_they_have_worked() -> None:
    looks = [name for one in _read("fewer_apart")["events"] if (name := _scheduled(one)) in _LOOKING]
    baselines, together, *apart = looks
    assert (baselines, together) == ("fetch_metrics", "look_at_metrics")
    assert apart == ["fetch_metrics"] * (len(apart) - 2) + ["assess_thresholds", "look_at_metrics"]
    assert len(apart) > 2


@pytest.mark.parametrize(
    ("name", "was", "became"),
    [
        ("fewer_pause", "look_at_metrics", "fetch_metrics"),
        ("fewer_pause", "record_decisions", "notify_owners"),
        ("fewer_apart", "fetch_metrics", "look_at_metrics"),
        ("fewer_apart", "look_at_metrics", "fetch_metrics"),
    ],
)
async def test_a_rollout_that_did_in_two_steps_what_is_done_in_one_does_not_replay(
    name: str, was: str, became: str
) -> None:
    """Nor the other way round: in one though that had failed, or in two though they had worked since."""
    history = _read(name)
    asked = [one["activityTaskScheduledEventAttributes"] for one in history["events"] if _scheduled(one) == was]
    asked[-1]["activityType"]["name"] = became
    with pytest.raises(NondeterminismError):
        await _replay(name, history)


def _scheduled(event: dict[str, Any]) -> str:
    """The activity that an event asks for; none if it asks for none."""
    name: str = event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name", "")
    return name


@pytest.mark.parametrize("name", ["kept_completed", "kept_stopped"])
async def test_a_rollout_that_ended_without_keeping_its_record_does_not_replay(name: str) -> None:
    history = _read(name)
    kept = [
        event["activityTaskScheduledEventAttributes"]
        for event in history["events"]
        if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == "keep_record"
    ]
    assert kept
    kept[-1]["activityType"]["name"] = "record_decisions"
    with pytest.raises(NondeterminismError):
        await _replay(name, history)


async def test_a_watch_that_looked_at_something_else_does_not_replay() -> None:
    history = _read("watch_1")
    looks = [event for event in history["events"] if "activityTaskScheduledEventAttributes" in event]
    looks[3]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "fetch_metrics"
    with pytest.raises(NondeterminismError):
        await _replay("watch_1", history)


async def test_a_history_in_which_a_refused_approval_was_made_to_look_good_does_not_replay() -> None:
    """The stranger's pause becomes an owner's: the rollout would have paused, and did not."""
    history = _read("malformed_requests")
    text = json.dumps(history)
    changed = 0
    for event in history["events"]:
        signal = event.get("workflowExecutionSignaledEventAttributes")
        if signal and signal["signalName"] == "pause":
            for payload in signal["input"]["payloads"]:
                body = base64.b64decode(payload["data"])
                if b"stranger@example.com" in body:
                    body = body.replace(b"stranger@example.com", b"sam.sponsor@example.com")
                    payload["data"] = base64.b64encode(body).decode()
                    changed += 1
    assert changed == 1
    assert json.dumps(history) != text
    with pytest.raises(NondeterminismError):
        await _replay("malformed_requests", history)


async def test_a_run_whose_keys_were_exchanged_in_its_history_does_not_replay() -> None:
    """What was signed is verified again with the keys that were recorded then, whatever the file says today."""
    history = _read("signed")
    asked = {
        event["eventId"]
        for event in history["events"]
        if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == "decision_keys"
    }
    assert len(asked) > 3
    for event in history["events"]:
        done = event.get("activityTaskCompletedEventAttributes")
        if done and done["scheduledEventId"] in asked:
            [payload] = done["result"]["payloads"]
            keys = json.loads(base64.b64decode(payload["data"]))
            for key in keys["keys"]:
                key["x"] = base64.urlsafe_b64encode(b"1" * 32).rstrip(b"=").decode()
            payload["data"] = base64.b64encode(json.dumps(keys).encode()).decode()
    with pytest.raises(NondeterminismError):
        await _replay("signed", history)


def test_the_first_false_signature_that_a_process_sees_does_not_end_it() -> None:
    """What verifies imports its errors only then, in the sandbox: a process that has not seen any is needed."""
    only = f"{__file__}::{test_a_run_whose_keys_were_exchanged_in_its_history_does_not_replay.__name__}"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", only],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
