"""Bundles for tests: made of recorded histories, whose logs are signed anew here; and changed in every way."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.bundle import (
    LETTERS,
    LOG,
    LOG_TEXT,
    LOOKS,
    MANIFEST,
    PLAN,
    history_place,
    read_manifest,
    unzipped,
    with_manifest,
)
from audit.checking_letters import letters_file
from audit.checkpoint import Because, Link, make_checkpoint, open_checkpoint, origin_of
from audit.exhibit import Trusted, read_plan
from audit.kept import FOLDER
from audit.leaves import leaf_bytes
from audit.notes import NoteSigner
from audit.text import log_text
from audit.trail import Kind, attributes, decision_keys, lines_of, once, payloads, read
from audit.tree import leaf_hash, root
from models.canonical import canonical
from models.claims import DecisionKeys, PublicKey
from models.letter import PROGRAMS, OutboxLetter, notice_head
from models.letter import said as said_to_programs
from models.log import LogEntry
from models.names import DEPLOYMENT
from models.plan import RolloutPlan
from models.rollout import Notice
from models.terse import entries_in_full, notices_in_full
from tests.signing import Pen

HISTORIES = Path(__file__).parents[1] / "replay" / "histories"
VERSION = "1.2.3"
SIGNER = NoteSigner(DEPLOYMENT, Ed25519PrivateKey.from_private_bytes(b"7" * 32))


def recorded(name: str) -> dict[str, Any]:
    """A recorded history, as Temporal's JSON."""
    found: dict[str, Any] = json.loads(gzip.decompress((HISTORIES / f"{name}.json.gz").read_bytes()))
    return found


def chains() -> dict[str, list[str]]:
    """The recorded rollouts of which every run is there, each under the name of its first run, with all names."""
    runs = {path.name.removesuffix(".json.gz"): path for path in sorted(HISTORIES.glob("*.json.gz"))}
    starts = {name: attributes(recorded(name)["events"][0]) for name in runs if not name.startswith("watch_")}
    found = {name: [name] for name, said in starts.items() if not said.get("continuedExecutionRunId")}
    for name, said in sorted(starts.items()):
        first = next((one for one in found if _chain(starts[one]) == _chain(said)), None)
        if first is not None and name != first:
            found[first].append(name)
    return found


def _chain(started: dict[str, Any]) -> str:
    return str(started["firstExecutionRunId"])


@dataclass
class Sample:
    """The parts of a bundle before its manifest is written; `keys` are those of decisions that its history recorded.
    Releases before letters were in bundles have no `letters`."""

    rollout: str
    chain: str
    plan: bytes
    leaves: list[bytes]
    histories: list[tuple[str, dict[str, Any]]]
    keys: DecisionKeys | None = None
    evidence: dict[str, bytes] = field(default_factory=dict)
    record: dict[str, bytes] = field(default_factory=dict)
    looks: bytes | None = None
    sizes: Sequence[int] = ()
    version: str = VERSION
    letters: bytes | None = None

    def checkpoints(self, sizes: Sequence[int] | None = None) -> dict[str, bytes]:
        """Checkpoints over so many leaves each, signed and chained."""
        found: dict[str, bytes] = {}
        previous = None
        at = datetime(2026, 11, 26, tzinfo=UTC)
        for number, size in enumerate(self.sizes if sizes is None else sizes, 1):
            link = Link(previous=previous, number=number, at=at + timedelta(hours=number), because=Because.HOUR)
            origin = origin_of(DEPLOYMENT, self.rollout, self.chain)
            note = make_checkpoint(origin, size, root([leaf_hash(one) for one in self.leaves[:size]]), link, SIGNER)
            found[f"checkpoints/{number:06}.txt"] = note.encode()
            previous = open_checkpoint(note.encode(), (SIGNER.public,)).digest
        return found

    def entries(self) -> list[LogEntry]:
        return [LogEntry.model_validate_json(json.dumps(json.loads(one)["entry"])) for one in self.leaves]

    def files(self) -> dict[str, bytes]:
        """All files but the manifest."""
        found = {
            PLAN: self.plan,
            LOG: b"".join(one + b"\n" for one in self.leaves),
            LOG_TEXT: log_text(self.rollout, self.entries()).encode(),
            "keys/log.txt": f"{SIGNER.public.vkey}\n".encode(),
            **self.checkpoints(),
            **self.evidence,
            **self.record,
        }
        if self.looks is not None:
            found[LOOKS] = self.looks
        if self.keys:
            found["keys/decisions.json"] = canonical({"keys": [one.model_dump() for one in self.keys.keys]})
        if self.letters is not None:
            found[LETTERS] = self.letters
        for number, (run_id, history) in enumerate(self.histories, 1):
            found[f"history/{number}-{run_id}.json"] = json.dumps(history).encode()
        return found

    def bundle(self) -> dict[str, bytes]:
        return sealed(self, self.files())

    @property
    def trusted(self) -> Trusted:
        return Trusted(log=(SIGNER.public,), decisions=self.keys.keys if self.keys else ())


def sealed(sample: Sample, files: dict[str, bytes]) -> dict[str, bytes]:
    """Files with a manifest that fits them, as whoever forges a bundle writes one, too."""
    return with_manifest(
        files,
        rollout=sample.rollout,
        chain=sample.chain,
        deployment=DEPLOYMENT,
        made_at=datetime(2026, 11, 27, tzinfo=UTC),
        code={"name": "partner-rollouts", "version": sample.version},
    )


def of_history(name: str) -> Sample:
    """A sample of a recorded path: its log is what its history says was written down. It has no evidence."""
    runs = [recorded(one) for one in chains()[name]]
    first = attributes(runs[0]["events"][0])
    plan = read_plan(json.dumps(read(payloads(first, "input"))[0]["plan"]).encode())
    run_ids = [str(attributes(one["events"][0])["originalExecutionRunId"]) for one in runs]
    lines = [line for run_id, run in zip(run_ids, runs, strict=True) for line in lines_of(run_id, run["events"])]
    leaves = []
    for line in once(lines):
        if line.kind is Kind.ENTRY:
            entry = LogEntry.model_validate(line.arguments[0], strict=False)
            said = entry.model_dump(mode="json")
            leaves.append(leaf_bytes(plan.id, first["firstExecutionRunId"], line.run_id, entry.sequence, said))
    count = len(leaves)
    return Sample(
        rollout=plan.id,
        chain=str(first["firstExecutionRunId"]),
        plan=canonical(plan.model_dump(mode="json")),
        leaves=leaves,
        histories=list(zip(run_ids, runs, strict=True)),
        keys=keys_in(runs),
        sizes=(count // 3, 2 * count // 3, count),
        letters=letters_in(plan, runs),
    )


def letters_in(plan: RolloutPlan, runs: Sequence[dict[str, Any]]) -> bytes | None:
    """The outbox as the recorded requests would have filled it; None where the log named no letter then."""
    notices: dict[str, Notice] = {}
    own: dict[str, str] = {}
    for run in runs:
        for event in run["events"]:
            began = event.get("workflowExecutionStartedEventAttributes")
            own = {"rollout_id": plan.id, "chain_id": began["firstExecutionRunId"]} if began else own
            for given in read(payloads(attributes(event), "input")):
                asked = (given.get("record") or given) if isinstance(given, dict) else {}
                # Letters that are only delivered are named; what they say stands in the request that recorded them.
                sent = [one for one in asked.get("notices") or () if isinstance(one, dict)]
                entries = entries_in_full(asked.get("entries") or ()) if sent else []
                head = notice_head(**given.get("key", own)) if sent else ""
                for one in notices_in_full(sent, entries, head):
                    notice = Notice.model_validate_json(json.dumps(one))
                    if notice.to:
                        notices[notice.notice_id] = notice
    letters = [letter_to(plan, one, contact) for one in notices.values() for contact in (*one.to, PROGRAMS)]
    return letters_file(letters) if letters else None


def letter_to(plan: RolloutPlan, notice: Notice, contact: str, **became: Any) -> OutboxLetter:
    """A letter as it lies in the outbox."""
    at = datetime(2026, 11, 26, tzinfo=UTC)
    given: dict[str, Any] = {
        "notice": notice.notice_id,
        "contact": contact,
        "kind": notice.kind,
        "subject": notice.subject,
        "body": notice.body,
        "about": {
            **said_to_programs(plan, notice),
            "title": plan.title,
            "status": "running",
            "phase": "pilot",
            "wave": None,
        },
        "written_at": at,
        "state": "sent",
        "attempts": 1,
        "delivered": ("maildir",),
        "refused": (),
        "problem": None,
        "next_try_at": None,
        "sent_at": at,
        "refused_at": None,
    }
    return OutboxLetter(**{**given, **became})


def keys_in(runs: list[dict[str, Any]]) -> DecisionKeys | None:
    """The keys of decisions that a history was given."""
    found = decision_keys(event for run in runs for event in run["events"])
    return DecisionKeys(audience=DEPLOYMENT, keys=found) if found else None


def of_bundle(files: Mapping[str, bytes]) -> Sample:
    """A bundle taken apart again."""
    manifest = read_manifest(files[MANIFEST])
    histories = sorted((place, path) for path in files if (place := history_place(path)) is not None)
    keys = json.loads(files.get("keys/decisions.json", b'{"keys": []}'))["keys"]
    leaves = files[LOG].split(b"\n")[:-1]
    count = len(leaves)
    return Sample(
        rollout=manifest.rollout,
        chain=manifest.chain,
        plan=files[PLAN],
        leaves=leaves,
        histories=[(place[1], json.loads(files[path])) for place, path in histories],
        keys=DecisionKeys(audience=DEPLOYMENT, keys=tuple(PublicKey(**one) for one in keys)) if keys else None,
        evidence={path: content for path, content in files.items() if path.startswith("evidence/")},
        record={path: content for path, content in files.items() if path.startswith(FOLDER)},
        looks=files.get(LOOKS),
        sizes=(count // 3, 2 * count // 3, count),
        version=manifest.code.version,
        letters=files.get(LETTERS),
    )


def with_checkpoints(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A bundle whose log is signed with the tests' key."""
    return of_bundle(files).bundle()


EXAMPLE = Path(__file__).parents[2] / "examples" / "audit" / "bundle.zip"
"""What `tests/audit/record.py` recorded, once; auditors keep theirs for years, so this one must stay provable."""


def whole() -> Sample:
    """The recorded bundle of a whole rollout with signed decisions."""
    return of_bundle(unzipped(EXAMPLE.read_bytes()))


def resigned(sample: Sample, pen: Pen) -> Sample:
    """The same rollout, all of whose decisions were signed with this pen: for forgers who have a pinned key."""
    tokens = {
        old: pen.sign(json.loads(base64.urlsafe_b64decode(old.split(".")[1] + "==")))
        for old in (entry.token for entry in sample.entries())
        if old is not None
    }
    sample = replace(sample, keys=pen.keys())
    return rewritten(sample, tokens)


def rewritten(sample: Sample, texts: Mapping[str, str]) -> Sample:
    """The same with texts replaced wherever they stand: in the log, and in what the history has of it."""

    def changed(text: str) -> str:
        for old, new in texts.items():
            text = text.replace(old, new)
        return text

    leaves = [canonical(json.loads(changed(one.decode()))) for one in sample.leaves]
    histories = [(run_id, _payloads(history, changed)) for run_id, history in sample.histories]
    return replace(sample, leaves=leaves, histories=histories)


def _payloads(value: Any, changed: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_payloads(one, changed) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"metadata", "data"}:
        data = base64.b64encode(changed(base64.b64decode(value["data"]).decode()).encode()).decode()
        return {**value, "data": data}
    return {name: _payloads(one, changed) for name, one in value.items()}


def without_entry(sample: Sample, sequence: int) -> Sample:
    """The same as if an entry had never been written: taken out of the log and the history, the rest counted anew."""
    leaves = []
    for number, line in enumerate((one for at, one in enumerate(sample.leaves, 1) if at != sequence), 1):
        leaf = json.loads(line)
        leaf["sequence"] = leaf["entry"]["sequence"] = number
        leaves.append(canonical(leaf))

    def changed(text: str) -> str:
        body = json.loads(text)
        for part in (body, body.get("record") or {}) if isinstance(body, dict) else ():
            if isinstance(part.get("entries"), list):
                part["entries"] = [
                    {**one, "sequence": one["sequence"] - (one["sequence"] > sequence)}
                    for one in part["entries"]
                    if one["sequence"] != sequence
                ]
        return json.dumps(body)

    histories = [(run_id, _payloads(history, changed)) for run_id, history in sample.histories]
    return replace(sample, leaves=leaves, histories=histories, sizes=(len(leaves) // 2, len(leaves)))


def without_event(sample: Sample, is_it: Callable[[dict[str, Any]], bool]) -> Sample:
    """The same as if the first such event had never happened; the others are counted anew."""
    history = sample.histories[0][1]
    at = next(at for at, event in enumerate(history["events"]) if is_it(event))
    return _with_events(sample, [one for number, one in enumerate(history["events"]) if number != at])


def with_event(sample: Sample, event: dict[str, Any], after: int) -> Sample:
    """The same with one more event behind the first so many."""
    events = sample.histories[0][1]["events"]
    return _with_events(sample, [*events[:after], event, *events[after:]])


def _with_events(sample: Sample, events: list[dict[str, Any]]) -> Sample:
    numbered = [{**one, "eventId": str(number)} for number, one in enumerate(events, 1)]
    run_id, history = sample.histories[0]
    return replace(sample, histories=[(run_id, {**history, "events": numbered}), *sample.histories[1:]])
