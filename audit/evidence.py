"""Evidence in a bundle: what the log names by its digest, whole, and under no other digest than its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit.bundle import BundleError, json_of
from audit.exhibit import Exhibit
from audit.findings import Check
from audit.standing import judged
from models.base import digest_json
from models.canonical import canonical
from models.command import Verb
from models.evidence import sealed_body
from models.log import LogEntry, Outcome

_PARTS = ("kind", "body")
_OF_A_SNAPSHOT = {"evidence_id", "digest", "as_of", "readings", "comparison", "changes"}
_AROUND_IT = {"snapshot", "rows", "stretches"}
_SAFE = 2**53


def evidence_path(digest: str) -> str:
    """Where the evidence of a digest lies in a bundle."""
    return f"evidence/{digest.removeprefix('sha256:')}.json"


def evidence_file(kind: str, body: Mapping[str, Any]) -> bytes:
    """Evidence as it lies in a bundle: nothing is in it that its digest does not cover."""
    return canonical({"kind": kind, "body": _as_fractions(dict(body))})


def _as_fractions(value: Any) -> Any:
    """Large whole numbers as the fractions they are: a database gives back 1e22 as a whole number."""
    if isinstance(value, dict):
        return {name: _as_fractions(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_fractions(one) for one in value]
    large = isinstance(value, int) and not isinstance(value, bool) and not -_SAFE < value < _SAFE
    return float(value) if large else value


def digest_of(kind: str, body: Mapping[str, Any]) -> str:
    """The digest that evidence must have, by what it says.

    Raises:
        KeyError, ValueError, TypeError: it is no evidence of this kind.
    """
    if kind == "assessment":
        return digest_json({name: value for name, value in body.items() if name not in ("evidence_id", "digest")})
    if kind == "snapshot":
        snapshot = body["snapshot"]
        if body.keys() - _AROUND_IT or snapshot.keys() - _OF_A_SNAPSHOT:
            raise ValueError("it says more than its digest covers")
        if body.get("stretches") and not snapshot.get("changes"):
            raise ValueError("it has stretches without changes, which its digest does not cover")
        parts = {
            "readings": snapshot["readings"],
            "rows": body["rows"],
            "comparison": snapshot.get("comparison", ()),
            "changes": snapshot.get("changes", ()),
            "stretches": body.get("stretches", ()),
        }
        return digest_json(sealed_body(datetime.fromisoformat(snapshot["as_of"]), parts))
    if kind == "review":
        return digest_json(dict(body))
    raise ValueError(f"{kind!r} is no kind of evidence")


def named(entries: tuple[LogEntry, ...], plan_digest: str | None) -> tuple[set[str], set[str]]:
    """The digests that evidence must be there for, and those that it may be there for: whoever is refused may name
    anything, and the watch names what it saw by the look alone."""
    must: set[str] = set()
    may: set[str] = set()
    for entry in entries:
        if entry.evidence_digest is None or entry.evidence_digest == plan_digest:
            continue
        said = entry.outcome is Outcome.REFUSED or entry.verb == Verb.REPORT_EVIDENCE
        (may if said and not judged(entry) else must).add(entry.evidence_digest)
    return must, may


def rests_on(kind: str, body: Mapping[str, Any]) -> str | None:
    """The digest of the evidence that evidence rests on: an assessment on its snapshot."""
    found = body.get("snapshot_digest") if kind == "assessment" else None
    return found if isinstance(found, str) else None


def check_evidence(exhibit: Exhibit) -> None:
    """Each piece has the digest it lies under, every one that counts is there, and none that nobody names."""
    must, may = named(tuple(exhibit.entries), exhibit.plan.digest if exhibit.plan else None)
    there: set[str] = set()
    for path in sorted(path for path in exhibit.files if path.startswith("evidence/")):
        digest = "sha256:" + path.removeprefix("evidence/").removesuffix(".json")
        there.add(digest)
        rest = _one(exhibit, path, digest)
        if rest is not None:
            (must if digest in must else may).add(rest)
    for digest in sorted(must - there):
        entry = next((one.sequence for one in exhibit.entries if one.evidence_digest == digest), None)
        told = "evidence that the log rests on is not in the bundle"
        exhibit.wrong(Check.EVIDENCE, told, file=evidence_path(digest), entry=entry)
    for digest in sorted(there - must - may):
        exhibit.wrong(Check.EVIDENCE, "nothing in the log names this evidence", file=evidence_path(digest))
    exhibit.counts["evidence"] = len(there & (must | may))


def _one(exhibit: Exhibit, path: str, digest: str) -> str | None:
    """Look at a piece of evidence; what it rests on."""
    try:
        whole = json_of(exhibit.files, path)
        if not isinstance(whole, dict) or set(whole) != set(_PARTS) or not isinstance(whole["body"], dict):
            raise ValueError(f"evidence says {', '.join(_PARTS)}, and nothing else")
        if canonical(whole) != exhibit.files[path]:
            raise ValueError("it is not written canonically")
        kind, body = whole["kind"], whole["body"]
        found = digest_of(kind, body)
        own = kind == "review" or _names_itself(kind, body if kind == "assessment" else body["snapshot"], digest)
    except BundleError as problem:
        exhibit.wrong(Check.EVIDENCE, problem.problem, file=path)
        return None
    except Exception as problem:  # what it says may be anything
        told = f"it is no evidence: {type(problem).__name__}: {str(problem)[:200]}"
        exhibit.wrong(Check.EVIDENCE, told, file=path)
        return None
    if found != digest or not own:
        told = "the evidence is not what the log names by this digest: it was changed or exchanged"
        exhibit.wrong(Check.EVIDENCE, told, file=path, entry=_first(exhibit, digest), found=found, expected=digest)
        return None
    return rests_on(kind, body)


def _names_itself(kind: str, said: Mapping[str, Any], digest: str) -> bool:
    """Whether evidence tells its own digest, id and moment as they are written; its digest does not cover these."""
    written = datetime.fromisoformat(said["as_of"]).isoformat().replace("+00:00", "Z")
    name = f"{kind}-{digest.removeprefix('sha256:')[:16]}"
    return (said.get("digest"), said.get("evidence_id"), said["as_of"]) == (digest, name, written)


def _first(exhibit: Exhibit, digest: str) -> int | None:
    return next((one.sequence for one in exhibit.entries if one.evidence_digest == digest), None)
