"""The decision log's entry: who asked or decided what, on which evidence, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from models.base import Frozen, Grown, Instant


class EntryKind(StrEnum):
    DECISION = "decision"
    REFUSAL = "refusal"
    PHASE = "phase"
    PAUSE = "pause"
    RESUME = "resume"
    HOLD = "hold"
    RELEASE = "release"
    BASELINE = "baseline"
    ASSESSMENT = "assessment"
    ENROLMENT = "enrolment"
    REVIEW = "review"
    NOTICE = "notice"
    OVERRIDE = "override"
    STOP = "stop"
    EXPORT = "export"
    RECORD = "record"


class Outcome(StrEnum):
    APPLIED = "applied"
    PENDING = "pending"
    REFUSED = "refused"


class Signer(Frozen):
    """Whose signature a request bore: `subject` at `issuer`, by the name that service knows them by."""

    issuer: str
    subject: str
    name: str


class LogEntry(Grown):
    """One line of the decision log. `sequence` counts from 1 over the whole chain of runs.

    `message` is the sentence people read; `refusal` says why a request was refused; `rationale` is what the
    person wrote. `signed_by` stands where a signature was found good; the `token` that proves it stands in the store's
    log alone, so that an auditor can verify it again.
    """

    later: ClassVar[frozenset[str]] = frozenset({"signed_by", "token"})

    sequence: int
    at: Instant
    programme_at: Instant
    kind: EntryKind
    phase: str
    message: str
    verb: str | None = None
    actor: str | None = None
    role: str | None = None
    outcome: Outcome | None = None
    refusal: str | None = None
    rationale: str | None = None
    gate: str | None = None
    request_id: str | None = None
    evidence_digest: str | None = None
    detail: dict[str, Any] = {}
    signed_by: Signer | None = None
    token: str | None = None


def rejects(entry: LogEntry) -> bool:
    """Whether an entry of an applied decision is that of a rejection, by its words."""
    return f" rejected {entry.gate}" in entry.message


class Receipt(Frozen):
    """What a caller gets back: the outcome of the request, and the entry that records it."""

    request_id: str | None
    outcome: Outcome
    message: str
    sequence: int
