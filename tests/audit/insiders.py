"""Evidence forged by whoever has every key: digests, log, history, signatures and checkpoints are made to fit."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from audit.evidence import digest_of, evidence_file, evidence_path
from audit.trail import attributes, kind_of
from models.canonical import canonical
from models.claims import request_digest
from models.command import Decide
from models.log import LogEntry
from tests.audit.exhibits import Sample, resigned, rewritten, whole
from tests.signing import Pen

PEN = Pen("insider")
INSIDE = resigned(whole(), PEN)

Body = dict[str, Any]
Edit = Callable[[Body], object]


def assessments(sample: Sample) -> list[LogEntry]:
    """The entries of assessments, the first one first."""
    return [one for one in sample.entries() if isinstance(one.detail.get("verdicts"), dict)]


def body_of(sample: Sample, digest: str) -> Body:
    """What a piece of evidence says."""
    found: Body = json.loads(sample.evidence[evidence_path(digest)])["body"]
    return found


def with_assessment(sample: Sample, entry: LogEntry, edit: Edit) -> Sample:
    """The same with an assessment that says something else; the log tells of it what it says."""
    body = body_of(sample, entry.evidence_digest or "")
    edit(body)
    return _exchanged(sample, "assessment", entry.evidence_digest or "", body)


def with_snapshot(sample: Sample, entry: LogEntry, edit: Edit, judge: Edit | None = None) -> Sample:
    """The same with an assessment of other numbers, which it says what `judge` makes of it."""
    assessment = body_of(sample, entry.evidence_digest or "")
    old = assessment["snapshot_digest"]
    body = body_of(sample, old)
    edit(body)
    sample = _exchanged(sample, "snapshot", old, body)
    entry = next(one for one in sample.entries() if one.sequence == entry.sequence)
    new = digest_of("snapshot", body)

    def judged(said: Body) -> None:
        said["snapshot_digest"] = new
        if judge is not None:
            judge(said)

    return with_assessment(sample, entry, judged)


def _exchanged(sample: Sample, kind: str, old: str, body: Body) -> Sample:
    """Evidence of another content under the digest of that, wherever it is named."""
    new = digest_of(kind, body)
    said = body["snapshot"] if kind == "snapshot" else body
    said |= {"digest": new, "evidence_id": f"{kind}-{new.removeprefix('sha256:')[:16]}"}
    evidence = {path: content for path, content in sample.evidence.items() if path != evidence_path(old)}
    evidence[evidence_path(new)] = evidence_file(kind, body)
    sample = rewritten(replace(sample, evidence=evidence), {old: new})
    if kind == "assessment":
        verdicts = {f"{one['cohort']}/{one['metric']}": one["verdict"] for one in _items(body)}
        sample = edited(sample, lambda one: one.get("evidence_digest") == new, verdicts)
    return signed_anew(sample)


def _items(body: Body) -> list[Body]:
    return [one for one in body["items"] if isinstance(one, dict) and {"cohort", "metric", "verdict"} <= one.keys()]


def edited(sample: Sample, is_it: Callable[[Body], bool], verdicts: dict[str, str]) -> Sample:
    """The log and the history with other verdicts in the entries of an assessment."""

    def changed(body: Any) -> Any:
        for one in entries_in(body):
            if is_it(one) and "verdicts" in one.get("detail", {}):
                one["detail"]["verdicts"] = verdicts
        return body

    return each_entry(sample, changed)


def each_entry(sample: Sample, changed: Callable[[Any], Any]) -> Sample:
    """The same with what the log and the history hold of entries changed; `changed` gets a leaf or a payload."""
    leaves = [canonical(changed(json.loads(one))) for one in sample.leaves]
    histories = []
    for run_id, history in sample.histories:
        whole_one = json.loads(json.dumps(history))
        for event in whole_one["events"]:
            for payload in _payloads(event):
                body = changed(json.loads(base64.b64decode(payload["data"])))
                payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
        histories.append((run_id, whole_one))
    return replace(sample, leaves=leaves, histories=histories)


def _payloads(event: Body) -> list[Body]:
    said = attributes(event).get("input", {})
    return said.get("payloads", []) if "ACTIVITY_TASK_SCHEDULED" in kind_of(event) and isinstance(said, dict) else []


def entries_in(body: Any) -> list[Body]:
    if not isinstance(body, dict):
        return []
    own = [body["entry"]] if isinstance(body.get("entry"), dict) else []
    sent = [one for part in (body, body.get("record") or {}) for one in part.get("entries") or ()]
    return [*own, *(one for one in sent if isinstance(one, dict))]


def signed_anew(sample: Sample) -> Sample:
    """Every decision signed by the insider for what it says now."""
    tokens: dict[str, str] = {}
    for _, history in sample.histories:
        for event in history["events"]:
            if "WORKFLOW_EXECUTION_SIGNALED" not in kind_of(event) or attributes(event)["signalName"] != "decide":
                continue
            [payload] = attributes(event)["input"]["payloads"]
            body = json.loads(base64.b64decode(payload["data"]))
            if body.get("token"):
                claims = json.loads(base64.urlsafe_b64decode(body["token"].split(".")[1] + "=="))
                command = Decide.model_validate_json(json.dumps(body))
                signed = {"request": request_digest(command), "evidence": command.evidence_digest}
                if not signed.items() <= claims.items() and claims.get("chain") == sample.chain:
                    tokens[body["token"]] = PEN.sign(claims | signed)
    return rewritten(sample, tokens)
