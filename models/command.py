"""What people and the watch may ask of a running rollout: the payloads of its signals and updates."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from models.base import Grown, Wire
from models.metric import MetricName
from models.plan import StopResolution

RequestId = Annotated[str, StringConstraints(min_length=8, max_length=100)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]
Actor = Annotated[str, StringConstraints(min_length=3, max_length=200)]
Name = Annotated[str, StringConstraints(max_length=100)]
"""Bounded like all the others: what comes in is written down, and a history holds no entry of megabytes."""
Counted = Annotated[int, Field(ge=1, lt=2**53)]
"""Bounded by what canonical JSON writes: a request with a larger number would have no digest to be signed."""


class Verb(StrEnum):
    DECIDE = "decide"
    PAUSE = "pause"
    RESUME = "resume"
    OVERRIDE = "override"
    REVIEW = "review"
    CONFIRM_OWNERSHIP = "confirm_ownership"
    ACKNOWLEDGE = "acknowledge"
    REPORT_BREACH = "report_breach"
    REPORT_EVIDENCE = "report_evidence"
    STOP = "stop"
    DELEGATE = "delegate"
    JUDGE_PAUSE = "judge_pause"


class Choice(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class PauseVerdict(StrEnum):
    """What an owner says of a pause in hindsight."""

    RIGHT = "right"
    FALSE_ALARM = "false-alarm"


class Command(Wire):
    """What every message carries: who, why, and an id by which a repetition is recognised; `token` proves it
    (`models/claims.py`). What `silent` names is not written where it says nothing: each message stands in a history."""

    silent: ClassVar[frozenset[str]] = frozenset({"schema_version", "token"})

    schema_version: Counted = 1
    request_id: RequestId
    actor: Actor
    reason: Reason
    token: str | None = Field(default=None, max_length=8192)

    @model_serializer(mode="wrap")
    def _what_it_says(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        written: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in written.items()
            if name not in self.silent or getattr(self, name) != fields[name].default
        }


class Decide(Command):
    """A decision at a gate, bound to the plan and to the evidence the person saw."""

    silent = Command.silent | {"declared_conflict"}

    gate: Name
    choice: Choice
    plan_digest: Name
    evidence_digest: Name
    declared_conflict: str | None = Field(default=None, max_length=1000)


class Pause(Command):
    """Stop the phase clock until a named person resumes."""


class Resume(Command):
    """Go on after a pause; fresh evidence is read before it takes effect."""


class Override(Command):
    """Let a breached metric be, until a programme time; needs the agreement the plan's rule asks for."""

    metric: MetricName
    until: AwareDatetime


class Review(Command):
    """A review checkpoint was held; `reason` says what came of it."""


class ConfirmOwnership(Command):
    """The owner confirms the role the plan gives them."""

    role: Name


class Acknowledge(Command):
    """An owner has seen what waits for them. It changes nothing but the record."""


class ReportBreach(Command):
    """Somebody or something saw a metric beyond its limit; the rollout judges for itself before it acts. The watch
    names the snapshot that it saw it in, which stands in the store: with that the rollout begins. `proof` is the
    watch's (`models/vouching.py`)."""

    silent = Command.silent | {"proof"}

    metric: MetricName
    cohort: Name
    as_of: AwareDatetime
    snapshot_digest: Name | None = None
    proof: Name | None = None


class ReportEvidence(Command):
    """The watch's word: as of when it looked, and whether its view changed since the last word."""

    silent = Command.silent | {"proof"}

    as_of: AwareDatetime
    changed: bool
    evidence_digest: Name
    proof: Name | None = None


class DailyWord(Grown):
    """The watch's word that nothing has changed, without what is the same every day; only for a rollout that has said
    that it reads it. A word that says anything else says it at length."""

    later = frozenset({"proof"})

    as_of: AwareDatetime
    evidence_digest: Name
    proof: Name | None = None

    @classmethod
    def has(cls, fields: Collection[str]) -> bool:
        """Whether a message with these fields is one."""
        return cls.model_fields.keys() - cls.later <= set(fields) <= cls.model_fields.keys()

    def at_length(self) -> ReportEvidence:
        """The word as every rollout reads it."""
        return ReportEvidence(
            request_id=word_id(self.evidence_digest),
            actor=WATCH_ACTOR,
            reason=NOTHING_CHANGED,
            as_of=self.as_of,
            changed=False,
            evidence_digest=self.evidence_digest,
            proof=self.proof,
        )


def word_id(evidence_digest: str) -> str:
    """The request id of a daily word that bears none."""
    return f"watch-{evidence_digest}"[:100]


class Stop(Command):
    """End the rollout, saying what becomes of finished, current and pending cohorts."""

    resolution: StopResolution


class Delegate(Command):
    """Let somebody act in one's place until a programme time; without `until` it is taken back.

    `issuer` and `subject` say whose signature is theirs, which signed decisions need.
    """

    identity: Actor
    name: Name
    issuer: str | None = Field(default=None, max_length=300)
    subject: str | None = Field(default=None, max_length=255)
    until: AwareDatetime | None = None


class JudgePause(Command):
    """Whether a pause was right or a false alarm; `pause` is the sequence of its entry in the decision log. What the
    same person says later goes before."""

    pause: Counted
    verdict: PauseVerdict


COMMANDS: dict[Verb, type[Command]] = {
    Verb.DECIDE: Decide,
    Verb.PAUSE: Pause,
    Verb.RESUME: Resume,
    Verb.OVERRIDE: Override,
    Verb.REVIEW: Review,
    Verb.CONFIRM_OWNERSHIP: ConfirmOwnership,
    Verb.ACKNOWLEDGE: Acknowledge,
    Verb.REPORT_BREACH: ReportBreach,
    Verb.REPORT_EVIDENCE: ReportEvidence,
    Verb.STOP: Stop,
    Verb.DELEGATE: Delegate,
    Verb.JUDGE_PAUSE: JudgePause,
}
"""The payload model of each verb; the workflow and every sender validate with the same one."""

WATCH_ACTOR = "partner-watch"
"""The actor the watch reports as."""

NOTHING_CHANGED = "nothing has changed"
"""What the watch gives as its reason then."""

WATCH_SAYS = (Verb.REPORT_BREACH, Verb.REPORT_EVIDENCE)
"""What the watch says; nobody signs it."""
