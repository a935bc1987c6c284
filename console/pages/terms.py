"""The words of the vocabulary as people read them: every closed set has its names here, in one place."""

from __future__ import annotations

from collections.abc import Mapping

from console.pages.words import N_, Words
from models.command import Verb
from models.evidence import Verdict
from models.log import EntryKind, Outcome
from models.metric import CATALOGUE, MetricName
from models.metric_terms import MetricUse
from models.plan_metric import OnBreach
from models.quality import Check, Severity
from models.rollout import HoldKind, PauseCause, Status
from record.terms import METRIC as METRIC
from record.terms import PHASE as PHASE
from record.terms import ROLE as ROLE
from record.terms import VERDICT as VERDICT
from record.terms import gate as gate
from record.terms import metric as metric
from record.terms import phase as phase
from record.terms import role as role
from record.terms import shown_by as shown_by
from record.terms import term as term

STATUS: Mapping[str, str] = {
    Status.RUNNING: N_("Running"),
    Status.HOLDING: N_("Holding"),
    Status.PAUSED: N_("Paused"),
    Status.AWAITING_APPROVAL: N_("Awaiting approval"),
    Status.FROZEN: N_("Frozen"),
    Status.STOPPING: N_("Stopping"),
    Status.STOPPED: N_("Stopped"),
    Status.COMPLETED: N_("Completed"),
}
VERDICT_ICON: Mapping[str, str] = {
    Verdict.MET: "✔",
    Verdict.NOT_MET: "✖",
    Verdict.CANNOT_TELL: "?",
    Verdict.NO_EVIDENCE: "○",
}
STATUS_ICON: Mapping[str, str] = {
    Status.RUNNING: "▶",
    Status.HOLDING: "◷",
    Status.PAUSED: "‖",
    Status.AWAITING_APPROVAL: "◆",
    Status.FROZEN: "❄",
    Status.STOPPING: "■",
    Status.STOPPED: "■",
    Status.COMPLETED: "✔",
}
TONE: Mapping[str, str] = {
    Status.RUNNING: "calm",
    Status.HOLDING: "warn",
    Status.PAUSED: "bad",
    Status.AWAITING_APPROVAL: "act",
    Status.FROZEN: "calm",
    Status.STOPPING: "bad",
    Status.STOPPED: "bad",
    Status.COMPLETED: "good",
    Verdict.MET: "good",
    Verdict.NOT_MET: "bad",
    Verdict.CANNOT_TELL: "warn",
    Verdict.NO_EVIDENCE: "warn",
    Outcome.APPLIED: "good",
    Outcome.PENDING: "warn",
    Outcome.REFUSED: "bad",
    Severity.GREEN: "good",
    Severity.AMBER: "warn",
    Severity.RED: "bad",
}
"""The colour beside a word; never instead of it."""

USE: Mapping[str, str] = {MetricUse.OUTCOME: N_("Outcome"), MetricUse.GUARDRAIL: N_("Guardrail")}
ON_BREACH: Mapping[str, str] = {
    OnBreach.PAUSE: N_("pauses the rollout"),
    OnBreach.STOP: N_("stops the rollout"),
    OnBreach.WARN: N_("warns"),
}
HOLD: Mapping[str, str] = {
    HoldKind.BASELINE: N_("a baseline is missing"),
    HoldKind.EVIDENCE: N_("the evidence is missing or not good enough"),
    HoldKind.OUTCOME: N_("an outcome is not met"),
    HoldKind.WATCH_SILENT: N_("the watch is silent"),
    HoldKind.REVIEW_MISSED: N_("a review was missed"),
    HoldKind.APPROVAL_OVERDUE: N_("an approval is overdue"),
    HoldKind.STORE: N_("the log cannot be written"),
}
CAUSE: Mapping[str, str] = {
    PauseCause.GUARDRAIL: N_("a guardrail was breached"),
    PauseCause.PERSON: N_("a person paused it"),
    PauseCause.REJECTION: N_("an owner rejected the gate"),
}
COHORT: Mapping[str, str] = {
    "enrolled": N_("enrolled"),
    "withdrawn": N_("withdrawn"),
    "comparison": N_("for comparison"),
    "not enrolled": N_("not enrolled yet"),
}
ENTRY: Mapping[str, str] = {
    EntryKind.DECISION: N_("Decision"),
    EntryKind.REFUSAL: N_("Refusal"),
    EntryKind.PHASE: N_("Phase"),
    EntryKind.PAUSE: N_("Pause"),
    EntryKind.RESUME: N_("Resume"),
    EntryKind.HOLD: N_("Hold"),
    EntryKind.RELEASE: N_("Release"),
    EntryKind.BASELINE: N_("Baseline"),
    EntryKind.ASSESSMENT: N_("Assessment"),
    EntryKind.ENROLMENT: N_("Enrolment"),
    EntryKind.REVIEW: N_("Review"),
    EntryKind.NOTICE: N_("Notice"),
    EntryKind.OVERRIDE: N_("Override"),
    EntryKind.STOP: N_("Stop"),
    EntryKind.EXPORT: N_("Export"),
    EntryKind.RECORD: N_("Record"),
}
OUTCOME: Mapping[str, str] = {
    Outcome.APPLIED: N_("Applied"),
    Outcome.PENDING: N_("Pending"),
    Outcome.REFUSED: N_("Refused"),
}
CHECK: Mapping[str, str] = {
    Check.FRESHNESS: N_("Freshness"),
    Check.COMPLETENESS: N_("Completeness"),
    Check.COSTS: N_("Completeness of costs"),
    Check.COHORT: N_("Completeness of the cohort"),
    Check.COMPARED: N_("Completeness of the compared partners"),
    Check.PLAUSIBILITY: N_("Plausibility"),
    Check.BAND: N_("Unlike earlier values"),
    Check.IMPROVEMENT: N_("Improvement too good"),
    Check.DUPLICATES: N_("Duplicates"),
    Check.BACKDATING: N_("Backdating"),
    Check.DRIFT: N_("Cohort drift"),
    Check.RESTATEMENT: N_("Restatement"),
}
SEVERITY: Mapping[str, str] = {Severity.GREEN: N_("Green"), Severity.AMBER: N_("Amber"), Severity.RED: N_("Red")}
VERB: Mapping[str, str] = {
    Verb.DECIDE: N_("Decide"),
    Verb.PAUSE: N_("Pause"),
    Verb.RESUME: N_("Resume"),
    Verb.OVERRIDE: N_("Override a metric"),
    Verb.REVIEW: N_("Record a review"),
    Verb.CONFIRM_OWNERSHIP: N_("Confirm ownership"),
    Verb.STOP: N_("Stop the rollout"),
    Verb.DELEGATE: N_("Let somebody act for you"),
    Verb.JUDGE_PAUSE: N_("Judge a pause"),
}
FACT: Mapping[str, str] = {
    "lead": N_("lead %(name)s"),
    "deal": N_("deal %(name)s"),
    "transaction": N_("transaction %(name)s"),
    "assignment": N_("assignment %(name)s"),
    "check": N_("check %(name)s"),
    "failed critical check": N_("failed critical check %(name)s"),
    "claim": N_("claim %(name)s"),
    "unbudgeted claim": N_("unbudgeted claim %(name)s"),
    "request": N_("request %(name)s"),
    "unbudgeted request": N_("unbudgeted request %(name)s"),
}
"""Kinds of facts behind a number, as `store/sql/quality/facts` names them before the fact's own name."""

PERSONA: Mapping[str, str] = {
    "proposer": N_("proposer"),
    "may pause and stop, owns nothing": N_("may pause and stop, owns nothing"),
    "may start rollouts, owns nothing": N_("may start rollouts, owns nothing"),
    "owns nothing, an owner may let them act": N_("owns nothing, an owner may let them act"),
}
"""Who is on the page of the issuer for trying things out, beside owners."""

TAKE_BACK = N_("Act in person again")
"""What an owner does who ends a delegation."""

UNIT: Mapping[str, str] = {"%": "%", "percent": "%"}


def persona(words: Words, name: str) -> str:
    """What somebody is on the page of the issuer for trying things out."""
    return words(PERSONA[name]) if name in PERSONA else role(words, name)


def unit(name: MetricName | str) -> str:
    """What stands behind a metric's value: nothing where the unit is long."""
    found = CATALOGUE[MetricName(name)].unit
    return UNIT.get(found, "")


def fact(words: Words, told: str) -> str:
    """A fact behind a number; one of a kind without a name here is shown as it is."""
    kind = next((one for one in FACT if told.startswith(f"{one} ")), None)
    return words(FACT[kind], name=told.removeprefix(f"{kind} ")) if kind else told
