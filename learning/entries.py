"""What an entry of the decision log says, for those who read it afterwards: which gate, which hold, which end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from models.command import WATCH_ACTOR, Verb
from models.log import EntryKind, LogEntry, Outcome
from models.metric import CATALOGUE, MetricName
from models.rollout import HoldKind, PauseCause, Phase

_HOLD = re.compile(r"(?:Holding|Hold released) \(([a-z ]+)\): ")
_CAUSE = re.compile(r"Paused \(([a-z ]+)\): ")


def ordered(log: Iterable[LogEntry]) -> tuple[LogEntry, ...]:
    """The log by its sequence, each entry once."""
    return tuple({one.sequence: one for one in sorted(log, key=lambda one: one.sequence)}.values())


def opens_gate(entry: LogEntry) -> bool:
    """Whether a gate was opened: owners are asked from now on."""
    return entry.kind is EntryKind.PHASE and entry.gate is not None and entry.message.startswith("Gate ")


def enters(entry: LogEntry) -> bool:
    """Whether a phase or wave was entered."""
    return entry.kind is EntryKind.PHASE and entry.gate is not None and entry.message.startswith("Entered ")


def closes_gate(entry: LogEntry) -> bool:
    """Whether an open gate was closed because the evidence no longer allowed it."""
    return entry.kind is EntryKind.HOLD and entry.gate is not None


def approves(entry: LogEntry) -> bool:
    """Whether an owner approved a gate."""
    decided = entry.kind is EntryKind.DECISION and entry.gate is not None and entry.verb == Verb.DECIDE
    return decided and entry.outcome is not Outcome.REFUSED and " approved " in entry.message


def rejects(entry: LogEntry) -> bool:
    """Whether an owner rejected a gate."""
    decided = entry.kind is EntryKind.DECISION and entry.gate is not None and entry.verb == Verb.DECIDE
    return decided and entry.outcome is not Outcome.REFUSED and " rejected " in entry.message


def communicates(entry: LogEntry) -> bool:
    """Whether owners were asked to confirm what they own."""
    return entry.kind is EntryKind.NOTICE and entry.message.startswith("Plan communicated ")


def pauses(entry: LogEntry) -> bool:
    """Whether the rollout was paused."""
    return entry.kind is EntryKind.PAUSE


def resumes(entry: LogEntry) -> bool:
    """Whether the rollout went on, which is more than that somebody asked for it."""
    return entry.kind is EntryKind.RESUME and entry.outcome is not Outcome.PENDING


def stops(entry: LogEntry) -> bool:
    """Whether the rollout was stopped, or never started for want of a signature; which is more than that somebody
    agreed to stop it."""
    return entry.kind is EntryKind.STOP and entry.message.startswith(("Stopping: ", "Not started: "))


def closed(entry: LogEntry) -> bool:
    """Whether it was written in the close."""
    return entry.phase == Phase.CLOSE


def hold_of(entry: LogEntry) -> HoldKind | None:
    """The kind of hold an entry begins, goes on with or ends; None for any other entry."""
    if entry.kind not in (EntryKind.HOLD, EntryKind.RELEASE):
        return None
    found = _HOLD.match(entry.message)
    return HoldKind(found[1]) if found else None


def cause_of(entry: LogEntry) -> PauseCause | None:
    """Why it was paused."""
    found = _CAUSE.match(entry.message)
    return PauseCause(found[1]) if found else None


def paused_metrics(entry: LogEntry) -> tuple[MetricName, ...]:
    """The metrics that paused it. Entries of earlier releases name them by their titles alone."""
    if "metrics" in entry.detail:
        return tuple(map(MetricName, entry.detail["metrics"]))
    if cause_of(entry) is not PauseCause.GUARDRAIL:
        return ()
    return tuple(name for name, spec in CATALOGUE.items() if f"{spec.title} of " in entry.message)


def refuses_people(entry: LogEntry) -> bool:
    """Whether a person's request was refused; that the watch spoke when nothing was watched is no event."""
    return entry.outcome is Outcome.REFUSED and entry.actor != WATCH_ACTOR


def told(entry: LogEntry) -> str:
    """What stands behind `Paused (cause): ` and its like."""
    return _CAUSE.sub("", _HOLD.sub("", entry.message, count=1), count=1)


def owner_of(entry: LogEntry) -> str:
    """The owner an entry speaks for: who asked, or in whose place they did."""
    return str(entry.detail.get("on_behalf_of") or entry.actor or "")


def acted_in_place(entry: LogEntry) -> bool:
    """Whether who asked is not the owner an entry speaks for, but stands in for them."""
    return owner_of(entry).casefold() != (entry.actor or "").casefold()
