"""A rollout's state: everything one run hands to the next, and the view of it that people are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from models.base import Frozen, Instant, digest_json
from models.brief import Lean
from models.claims import DecisionKeys
from models.clock import ProgrammeClock
from models.command import Verb
from models.evidence import Assessment, Baseline, Verdict
from models.log import LogEntry
from models.metric import MetricName
from models.plan import Decisions, GateName, RolloutPlan, StopResolution
from models.proof import Parked, Proofs, Spent
from models.vouching import WatchKey


class Phase(StrEnum):
    PREPARE = "prepare"
    PILOT = "pilot"
    VALIDATE = "validate"
    SCALE = "scale"
    CLOSE = "close"


class Status(StrEnum):
    RUNNING = "running"
    HOLDING = "holding"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting approval"
    FROZEN = "frozen"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"


TERMINAL = frozenset({Status.STOPPED, Status.COMPLETED})
"""Sticky: what arrives after them is recorded and changes nothing."""


class CohortMembers(Frozen):
    """A cohort as resolved and frozen at prepare."""

    name: str
    partners: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many partners it has."""
        return len(self.partners)


class FrozenCohort(Frozen):
    """A cohort by name. Its members stand in the store, under the digest of all cohorts of the rollout."""

    name: str
    size: int


def members_digest(cohorts: Sequence[CohortMembers]) -> str:
    """The digest of all cohorts of a rollout with their members, in their order."""
    return digest_json([one.model_dump(mode="json") for one in cohorts])


class HoldKind(StrEnum):
    """Why nothing moves for now. A hold ends by itself when its cause is gone."""

    BASELINE = "baseline"
    EVIDENCE = "evidence"
    OUTCOME = "outcome"
    WATCH_SILENT = "watch silent"
    REVIEW_MISSED = "review missed"
    APPROVAL_OVERDUE = "approval overdue"
    STORE = "store unavailable"
    KEYS = "keys unavailable"
    CLOSING = "closing"


class Hold(Frozen):
    kind: HoldKind
    since: Instant
    detail: str


class PauseCause(StrEnum):
    GUARDRAIL = "guardrail"
    PERSON = "person"
    REJECTION = "rejection"


class PauseState(Frozen):
    """Why the rollout is paused, what drives it, and who may resume."""

    cause: PauseCause
    since: Instant
    detail: str
    must_act: tuple[str, ...]
    metrics: tuple[MetricName, ...] = ()
    partners: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    by: str | None = None


class PauseRecord(Frozen):
    """A pause that was, so that it can be judged in hindsight: its entry, and the roles that had to act on it.
    `judged` is None for one that was remembered before it was kept whether anybody has judged it."""

    sequence: int
    since: Instant
    guardrail: bool
    roles: tuple[str, ...]
    judged: bool | None = None


class Approval(Frozen):
    """One owner's agreement; `by` is whoever acted in the owner's place."""

    identity: str
    role: str
    at: Instant
    request_id: str
    by: str | None = None


class Delegation(Frozen):
    """Somebody who may act in an owner's place until a programme time."""

    owner: str
    role: str
    identity: str
    name: str
    issuer: str | None = None
    subject: str | None = None
    until: Instant


class GateState(Frozen):
    """A gate that waits for people. `digest` is the evidence a decision must name."""

    name: GateName
    key: str
    opened_at: Instant
    due_at: Instant
    digest: str
    approvals: tuple[Approval, ...] = ()
    approved_at: Instant | None = None
    reminded: bool = False
    overdue: bool = False


class Petition(Frozen):
    """Agreement being collected for an override or a stop; `key` tells what exactly is agreed to."""

    verb: Verb
    key: str
    approvals: tuple[Approval, ...]


class OverrideState(Frozen):
    """A breached metric that people decided to let be until a programme time."""

    metric: MetricName
    until: Instant
    by: tuple[str, ...]
    reason: str


class ResumeRequest(Frozen):
    """A resume that waits for fresh evidence before it takes effect: such as was measured after it was asked for. `by`
    is whoever asks in the owner's place; None in runs that began to resume before it was kept who that is."""

    request_id: str
    identity: str
    role: str
    reason: str
    asked_at: Instant | None = None
    by: str | None = None


class PhaseClock(Frozen):
    """The time a phase still has to serve. Pausing banks it; `running_since` None means it stands still."""

    required: timedelta
    served: timedelta = timedelta(0)
    running_since: Instant | None = None


class Notice(Lean):
    """A message for owners that is still to be sent. `notice_id` makes sending it twice harmless.

    What follows the body says the same to programs: the programme time, gate and evidence of the entry it belongs to,
    why, which roles must act, and by when (programme time). `to` has the contacts it goes to, where the log names them
    by a digest; of a rollout that began before it did, they are found when it is sent.
    """

    notice_id: str
    kind: str
    roles: tuple[str, ...]
    subject: str
    body: str
    programme_at: Instant | None = None
    gate: str | None = None
    evidence_digest: str | None = None
    cause: str | None = None
    must_act: tuple[str, ...] = ()
    due: Instant | None = None
    to: tuple[str, ...] = ()


EVERY_LETTER = 2
"""`RolloutState.letters` of a rollout that tells of everything: also that it goes on, that it has stopped, and that a
checkpoint was missed."""

AGREEMENT_LETTER = 3
"""The same of one that tells as well that a stop or an override waits for a second owner."""

LOGGED_LETTER = 4
"""The same of one whose log names each letter that it writes."""


class PhaseRecord(Frozen):
    """A phase, or a wave of it, that was entered: when, and when it was left."""

    phase: Phase
    wave: int | None = None
    entered_at: Instant
    left_at: Instant | None = None


class Closing(Frozen):
    """What a rollout does before it ends, and which of it is done or given up."""

    since: Instant
    reviewed: bool = False
    exported: bool = False
    kept: bool = False


class RolloutState(Frozen):
    """The whole carry of a rollout across continue-as-new. All moments are programme time.

    `version` is the version of this contract: a later release must read what an earlier one wrote. `recording` is the
    last entry handed to the store: it must not change any more. Only evidence newer than `evidence_floor` opens a gate.
    Cohorts are held by name, their members under `cohorts_digest`; a rollout of the first release holds the members.
    `reported` is the snapshot that the watch told of a breach with, until the rollout has judged it. `asked_at` is when
    somebody last asked for a look at the numbers: what was measured before is no answer. `alarmed_at` is when somebody
    last said that something is wrong, until a look has been taken after it.
    `keys_asked_at`, `started_at` and the moments in `spent` are real time, as signatures are; `keys_for` is the phase
    for which the keys were asked last; `started_by` is whoever signed the start, once that was found good.
    `watch_key` tells the watch's words from those that others say in its name; None for runs that began before there
    was one, to which every word is the watch's.
    `letters` says which notices are written: 1 those of the first release, for runs that began with it.
    `exports` is false for runs that began before histories were exported; `export_due` is the gate after which one is.
    `keeps` is false for those that began before records were kept.
    """

    version: int = 1
    chain_id: str
    plan: RolloutPlan
    plan_digest: str
    clock: ProgrammeClock
    phase: Phase = Phase.PREPARE
    wave: int | None = None
    phase_clock: PhaseClock | None = None
    phase_ended_at: Instant | None = None
    terminal: Status | None = None
    registered: bool = False
    communicated: bool = False
    cohorts: tuple[FrozenCohort | CohortMembers, ...] = ()
    cohorts_digest: str | None = None
    baselines: tuple[Baseline, ...] = ()
    confirmed: tuple[str, ...] = ()
    prepared_at: Instant | None = None
    enrolled: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    pause: PauseState | None = None
    pauses: tuple[PauseRecord, ...] = ()
    resume_request: ResumeRequest | None = None
    gate: GateState | None = None
    petitions: tuple[Petition, ...] = ()
    overrides: tuple[OverrideState, ...] = ()
    stop_resolution: StopResolution | None = None
    assessment: Assessment | None = None
    assess_because: str | None = None
    reported: str | None = None
    asked_at: Instant | None = None
    alarmed_at: Instant | None = None
    tolerance_since: Instant | None = None
    retry_at: dict[str, Instant] = {}
    failures: dict[str, int] = {}
    look_again_at: dict[str, Instant] = {}
    last_evidence_at: Instant | None = None
    watch_key: WatchKey | None = None
    evidence_floor: Instant | None = None
    reviews_held: int = 0
    review_due_at: Instant | None = None
    review_noticed: bool = False
    freezes_logged: tuple[str, ...] = ()
    history: tuple[PhaseRecord, ...] = ()
    sequence: int = 0
    unrecorded: tuple[LogEntry, ...] = ()
    recording: int = 0
    recent: tuple[LogEntry, ...] = ()
    seen: tuple[str, ...] = ()
    refused: int = 0
    notices: tuple[Notice, ...] = ()
    letters: int = 1
    decisions: Decisions = Decisions.UNSIGNED
    keys: DecisionKeys | None = None
    keys_asked_at: Instant | None = None
    keys_for: str | None = None
    started_at: Instant | None = None
    started_by: str | None = None
    proofs: Proofs = Proofs()
    spent: tuple[Spent, ...] = ()
    parked: tuple[Parked, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    exports: bool = False
    export_due: str | None = None
    closing: Closing | None = None
    keeps: bool = False


class AllowedAction(Frozen):
    """A verb somebody may use now, or why not."""

    verb: Verb
    allowed: bool
    who: tuple[str, ...]
    why_not: str | None = None
    target: str | None = None


class CohortView(Frozen):
    name: str
    partners: int
    state: str
    verdicts: dict[str, Verdict] = {}


class Awaited(Frozen):
    """Somebody the rollout waits for."""

    what: str
    who: tuple[str, ...]
    since: Instant
    due: Instant | None = None


class RolloutView(Frozen):
    """What `status` answers: one screen's worth of where the rollout stands and what happens next. `unjudged` are the
    pauses that are over and that nobody has judged, for as long as somebody can."""

    rollout_id: str
    title: str
    plan_digest: str
    option: str
    programme_now: Instant
    speed: float
    phase: Phase
    wave: int | None
    waves: int
    status: Status
    sentence: str
    since: Instant
    holds: tuple[Hold, ...]
    pause: PauseState | None
    gate: GateState | None
    gate_rule: str | None
    phase_clock: PhaseClock | None = None
    cohorts: tuple[CohortView, ...]
    assessment: Assessment | None
    baselines: tuple[Baseline, ...]
    awaited: tuple[Awaited, ...]
    next: str
    review_due_at: Instant | None
    last_evidence_at: Instant | None
    overrides: tuple[OverrideState, ...]
    history: tuple[PhaseRecord, ...]
    entries: int
    refused: int
    decisions: Decisions = Decisions.UNSIGNED
    delegations: tuple[Delegation, ...] = ()
    unjudged: tuple[PauseRecord, ...] = ()
