"""Forgers who have the keys of checkpoints and of decisions: what is signed is signed well, wrong, and found."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from typing import Any

from audit.findings import Check
from audit.trail import attributes, kind_of
from models.canonical import canonical
from models.claims import request_digest
from models.command import Decide
from models.log import LogEntry
from tests.audit.attacks import (
    WHOLE,
    first,
    report_of,
    told,
)
from tests.audit.exhibits import (
    Sample,
    resigned,
    rewritten,
    with_event,
    without_entry,
    without_event,
)
from tests.plans import ISSUER
from tests.signing import Pen

PEN = Pen("forger")
OURS = resigned(WHOLE, PEN)


def _approval(sample: Sample) -> LogEntry:
    return next(one for one in sample.entries() if one.verb == "decide" and one.outcome == "applied")


def _claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def test_a_rollout_signed_with_other_pinned_keys_is_proven_as_well() -> None:
    assert report_of(OURS.bundle(), OURS).findings == ()


def test_an_approval_with_a_good_signature_of_the_wrong_person_is_found() -> None:
    entry = _approval(OURS)
    assert entry.token is not None
    claims = _claims(entry.token) | {"sub": "sub-fin.finance", "name": "Fin Finance", "role": "finance_owner"}
    report = report_of(*_both(rewritten(OURS, {entry.token: PEN.sign(claims)})))
    found = next(one for one in report.wrong if one.check is Check.SIGNATURES)
    assert (found.entry, found.found) == (entry.sequence, "sub-fin.finance")
    assert f"signed by Fin Finance, but in the name of {entry.actor}" in found.what


def test_an_approval_by_somebody_who_is_not_asked_at_the_gate_is_found_though_all_else_is_theirs() -> None:
    entry = _approval(OURS)
    assert entry.token is not None
    _, command = _asked(entry.request_id)
    moved = {**command, "actor": "fin.finance@example.com"}
    claims = _claims(entry.token) | {"sub": "sub-fin.finance", "name": "Fin Finance", "role": "finance_owner"}
    claims["request"] = _digest(moved)
    token = PEN.sign(claims)
    forged_one = rewritten(OURS, {entry.token: token})
    forged_one = _with_actor(forged_one, entry, "fin.finance@example.com", "finance_owner", "Fin Finance")
    report = report_of(*_both(forged_one))
    assert [one.check for one in report.wrong][:1] == [Check.GATES]
    assert f"entry {entry.sequence}: Fin Finance is finance_owner, and decided at prepare_to_pilot" in told(report)


def test_a_gate_that_was_passed_without_its_approval_is_found_though_log_and_history_agree() -> None:
    entry = _approval(OURS)
    request = entry.request_id
    sample = without_event(
        without_entry(OURS, entry.sequence),
        lambda event: request is not None and request in _body(event),
    )
    report = report_of(*_both(sample))
    assert first(report).check is Check.GATES
    assert "gate prepare_to_pilot was passed without agreement: it needs 1 of sponsor; nobody approved" in told(report)


def test_an_applied_decision_without_a_signature_is_found_where_decisions_are_signed() -> None:
    entry = _approval(OURS)
    leaves = list(OURS.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    del leaf["entry"]["token"], leaf["entry"]["signed_by"]
    leaves[entry.sequence - 1] = canonical(leaf)
    report = report_of(*_both(replace(OURS, leaves=leaves)))
    assert f"entry {entry.sequence}: the log applied a decide that nobody signed" in told(report)


def test_a_request_that_the_history_has_too_many_or_that_it_lacks_is_found() -> None:
    entry = _approval(WHOLE)
    missing = without_event(WHOLE, lambda event: (entry.request_id or "") in _body(event))
    found = told(report_of(*_both(missing)))
    assert f"entry {entry.sequence}: a decide was applied, and the history has no request for it" in found
    event = next(
        one
        for one in WHOLE.histories[0][1]["events"]
        if kind_of(one) == "WORKFLOW_EXECUTION_SIGNALED" and (entry.request_id or "") in _body(one)
    )
    more = json.loads(json.dumps(event))
    [payload] = attributes(more)["input"]["payloads"]
    body = json.loads(base64.b64decode(payload["data"])) | {"request_id": "another-request"}
    payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    found = told(report_of(*_both(with_event(WHOLE, more, 400))))
    assert "the history has a decide by sam.sponsor@example.com of which the log tells nothing" in found


def test_an_entry_that_the_workflow_never_wrote_is_found_by_the_history() -> None:
    last = json.loads(WHOLE.leaves[-1])
    last["sequence"] = last["entry"]["sequence"] = 55
    more = replace(WHOLE, leaves=[*WHOLE.leaves, canonical(last)], sizes=(20, 55))
    found = told(report_of(*_both(more)))
    assert "entry 55: the log has an entry that the workflow never wrote, by its history" in found


def test_a_decision_by_whoever_declared_a_conflict_is_found() -> None:
    entry = _approval(OURS)
    leaves = list(OURS.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    leaf["entry"]["detail"]["declared_conflict"] = "my cousin is a partner"
    leaves[entry.sequence - 1] = canonical(leaf)
    found = told(report_of(*_both(replace(OURS, leaves=leaves))))
    assert "must not have: a declared conflict of interest bars the decision: my cousin is a partner" in found


def _both(sample: Sample) -> tuple[dict[str, bytes], Sample]:
    return sample.bundle(), sample


def _body(event: dict[str, Any]) -> str:
    sent = attributes(event).get("input", {}).get("payloads", []) if "SIGNALED" in kind_of(event) else []
    return "".join(base64.b64decode(one["data"]).decode() for one in sent)


def _asked(request_id: str | None) -> tuple[str, dict[str, Any]]:
    for event in OURS.histories[0][1]["events"]:
        if request_id and request_id in _body(event):
            return attributes(event)["signalName"], json.loads(_body(event))
    raise AssertionError("no such request")


def _digest(body: dict[str, Any]) -> str:
    return request_digest(Decide.model_validate_json(json.dumps(body)))


def _with_actor(sample: Sample, entry: LogEntry, actor: str, role: str, name: str) -> Sample:
    """The same with a request, and the entry of it, by another owner; both tell of it alike."""
    changes = {
        "actor": actor,
        "role": role,
        "signed_by": {"issuer": ISSUER, "subject": "sub-fin.finance", "name": name},
    }
    leaves = list(sample.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    leaf["entry"] |= changes
    leaves[entry.sequence - 1] = canonical(leaf)
    run_id, history = sample.histories[0]
    history = copy.deepcopy(history)
    for event in history["events"]:
        for payload in attributes(event).get("input", {}).get("payloads", []) if "input" in attributes(event) else []:
            body = json.loads(base64.b64decode(payload["data"]))
            if not isinstance(body, dict):
                continue
            if body.get("request_id") == entry.request_id:
                body["actor"] = actor
            for part in (body, body.get("record") or {}):
                for one in part.get("entries") or ():
                    if isinstance(one, dict) and one.get("sequence") == entry.sequence:
                        one |= changes
            payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    return replace(sample, leaves=leaves, histories=[(run_id, history)])
