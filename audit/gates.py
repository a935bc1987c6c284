"""The agreed rules once more: walks through a log, and asks at each step whether those who had to agree did.

The rules are those that the rollout itself goes by (`models/agreement.py`, `models/transitions.py`); only where it
stands is found out anew, from what was written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from audit.exhibit import Exhibit
from audit.findings import Check
from audit.standing_in import Delegations
from models.agreement import ALWAYS_WORK, Agreed, conflict_bars, may_not_approve, same, satisfied, substitute
from models.claims import BREAK_GLASS
from models.command import Choice, Command, Decide, Override, Stop, Verb
from models.log import EntryKind, LogEntry, Outcome, rejects
from models.owner import Owner
from models.plan import RolloutPlan
from models.rollout import Phase
from models.transitions import rule_of, transition


class _Gate(NamedTuple):
    """An open gate: its key, the evidence a decision must name, and who has approved."""

    key: str
    digest: str | None
    approvals: tuple[Agreed, ...] = ()


class _Waiting(NamedTuple):
    """A request that waits for evidence: who asked, in whose place, and who had let them then, which may be over once
    the evidence is there."""

    actor: str
    behalf: str | None
    let_by: str | None


class _Broken(Exception):
    """The rule that an entry breaks. It never leaves this module."""


def check_gates(exhibit: Exhibit) -> None:
    """Walk through the log."""
    if exhibit.plan is None or not exhibit.entries:
        return
    walk = _Walk(exhibit, exhibit.plan)
    for entry in exhibit.entries:
        try:
            walk.take(entry)
        except _Broken as problem:
            exhibit.wrong(Check.GATES, str(problem), entry=entry.sequence)
    exhibit.counts["gates"] = walk.passed


class _Walk:
    """Where the rollout stands after the entries so far."""

    def __init__(self, exhibit: Exhibit, plan: RolloutPlan) -> None:
        self.passed = 0
        self._exhibit = exhibit
        self._plan = plan
        self._delegations = Delegations(exhibit)
        self._place: tuple[Phase, int | None] = (Phase.PREPARE, None)
        self._gate: _Gate | None = None
        self._confirmed: set[str] = set()
        self._reviews = 0
        self._stopping = False
        self._must_act: tuple[str, ...] | None = None
        self._guardrail = False
        self._agreed: dict[str, tuple[Agreed, ...]] = {}
        self._waiting: dict[str, _Waiting] = {}

    def take(self, entry: LogEntry) -> None:
        """Take in an entry.

        Raises:
            _Broken: it breaks a rule.
        """
        if _place(entry) != self._place:
            self._enter(entry)
        elif entry.kind is EntryKind.PHASE and entry.gate is not None:
            self._open(entry)
        elif entry.kind is EntryKind.HOLD and entry.gate is not None:
            self._gate = None
        elif entry.kind is EntryKind.ASSESSMENT and "verdicts" in entry.detail:
            self._bind(entry)
        elif entry.kind is EntryKind.OVERRIDE and entry.message.startswith("Override in force: "):
            self._in_force(entry)
        self._asked(entry)
        self._halt(entry)
        self._delegations.take(entry)

    def _enter(self, entry: LogEntry) -> None:
        """Another phase or wave begins: the plan leads there, and those it asks have agreed."""
        before, self._place = self._place, _place(entry)
        gate, self._gate = self._gate, None
        if self._stopping and self._place == (Phase.CLOSE, None):
            return
        way = transition(self._plan, *before)
        if (
            entry.kind is not EntryKind.PHASE
            or (way.to, _wave(way.to, way.wave)) != self._place
            or entry.gate != way.key
        ):
            raise _Broken(f"{_told(before)} leads to {_told((way.to, way.wave))}, not to {entry.phase}")
        unconfirmed = [one.name for one in self._plan.owners if one.identity.casefold() not in self._confirmed]
        if before[0] is Phase.PREPARE and unconfirmed:
            raise _Broken(f"preparation was left, and {', '.join(unconfirmed)} had not confirmed their ownership")
        if way.needs_review and not self._reviews:
            raise _Broken(f"{entry.phase} was entered without the review that the plan asks for")
        rule = rule_of(self._plan, way)
        if rule is None:
            return
        given = gate.approvals if gate and gate.key == way.key else ()
        if not satisfied(rule, given):
            names = ", ".join(f"{one.identity} ({one.role})" for one in given) or "nobody"
            raise _Broken(
                f"gate {way.key} was passed without agreement: it needs {rule.quorum} of {', '.join(rule.roles)}"
                f"{', among them ' + ', '.join(rule.required) if rule.required else ''}; {names} approved"
            )
        self.passed += 1

    def _open(self, entry: LogEntry) -> None:
        way = transition(self._plan, *self._place)
        if entry.gate != way.key or rule_of(self._plan, way) is None:
            raise _Broken(f"gate {entry.gate} was opened in {entry.phase}, whose gate is {way.key}")
        self._gate = _Gate(way.key, entry.evidence_digest)

    def _bind(self, entry: LogEntry) -> None:
        """An open gate asks about the newest evidence, until enough have agreed."""
        rule = rule_of(self._plan, transition(self._plan, *self._place))
        if self._gate and rule and not satisfied(rule, self._gate.approvals):
            self._gate = self._gate._replace(digest=entry.evidence_digest)

    def _halt(self, entry: LogEntry) -> None:
        if entry.kind is EntryKind.PAUSE and entry.outcome is not Outcome.REFUSED:
            self._gate = None
            self._must_act = tuple(map(str, entry.detail.get("must_act", ())))
            self._guardrail = entry.message.startswith("Paused (guardrail)")
        elif entry.kind is EntryKind.STOP and entry.message.startswith("Stopping: "):
            self._gate, self._stopping = None, True

    def _asked(self, entry: LogEntry) -> None:
        """What somebody asked for and got: they may."""
        if entry.verb is not None and entry.outcome is Outcome.PENDING:
            actor, behalf = _names(entry)
            self._waiting[entry.request_id or ""] = _Waiting(actor, behalf, self._let_by(entry, actor))
            self._owner(entry)
        if entry.verb is None or entry.outcome is not Outcome.APPLIED:
            return
        if entry.role == BREAK_GLASS:
            self._broke_the_glass(entry)
            return
        rules: dict[str, Callable[[LogEntry, Owner], None]] = {
            Verb.DECIDE: self._decide,
            Verb.RESUME: self._resume,
            Verb.OVERRIDE: self._override,
            Verb.STOP: self._stop,
            Verb.REVIEW: self._review,
            Verb.CONFIRM_OWNERSHIP: self._confirm,
        }
        rule = rules.get(entry.verb)
        if rule is not None:
            rule(entry, self._owner(entry))

    def _broke_the_glass(self, entry: LogEntry) -> None:
        """It pauses and stops, and takes a signature also where nothing else does."""
        if entry.verb not in ALWAYS_WORK:
            raise _Broken(f"{entry.actor} broke the glass, which lets nobody {entry.verb}")
        if entry.token is None:
            raise _Broken(f"a {entry.verb} broke the glass, and no signature tells who it was")

    def _owner(self, entry: LogEntry) -> Owner:
        """The owner as whom somebody acted."""
        actor, behalf = _names(entry)
        owner = self._plan.owner(behalf or actor)
        if owner is None or (entry.role is not None and owner.role != entry.role):
            raise _Broken(f"a {entry.verb} by {actor} as {entry.role} was applied, whom the plan does not name as that")
        waited = self._waiting.get(entry.request_id or "")
        if behalf and self._exhibit.complete:
            let_by = waited.let_by if waited else self._let_by(entry, actor)
            if let_by is None or not same(let_by, owner.identity):
                raise _Broken(f"{actor} acted in the place of {owner.name}, who had not let them")
        return owner

    def _let_by(self, entry: LogEntry, actor: str) -> str | None:
        """The owner in whose place somebody may act at an entry."""
        found = substitute(self._delegations.standing(entry.programme_at), actor, entry.programme_at)
        return found.owner if found else None

    def _command(self, entry: LogEntry) -> Command | None:
        return self._exhibit.asked.get(entry.sequence, (None, None))[1]

    def _decide(self, entry: LogEntry, owner: Owner) -> None:
        gate, rule = self._gate, rule_of(self._plan, transition(self._plan, *self._place))
        command = self._command(entry)
        declared = entry.detail.get("declared_conflict")
        chosen = command.choice if isinstance(command, Decide) else None
        rejected = chosen is Choice.REJECT if chosen else rejects(entry)
        if gate is None or rule is None or entry.gate != gate.key:
            raise _Broken(f"a decision at {entry.gate} was applied, and that gate was not open")
        if owner.role not in rule.roles:
            raise _Broken(
                f"{owner.name} is {owner.role}, and decided at {gate.key}, which is for {', '.join(rule.roles)}"
            )
        if entry.evidence_digest != gate.digest:
            raise _Broken(f"a decision on {entry.evidence_digest} was applied; the gate asked about {gate.digest}")
        bars = conflict_bars(self._plan, str(declared) if declared else None)
        problem = bars or (None if rejected else may_not_approve(self._plan, owner, gate.approvals))
        if problem:
            raise _Broken(f"{owner.name} decided at {gate.key}, and must not have: {problem}")
        if not rejected:
            self._gate = gate._replace(approvals=(*gate.approvals, Agreed(owner.identity, owner.role)))

    def _resume(self, entry: LogEntry, owner: Owner) -> None:
        if self._must_act is None:
            raise _Broken("a resume was applied, and the rollout was not paused")
        if owner.role not in self._must_act:
            raise _Broken(f"{owner.name} is {owner.role}; only {', '.join(self._must_act)} may resume")
        if self._guardrail and same(owner.identity, self._plan.proposer):
            raise _Broken("the proposer resumed their own change after a breach")
        waited, names = self._waiting.pop(entry.request_id or "", None), _names(entry)
        # Releases gone by named the owner alone.
        if waited is not None and names not in ((waited.actor, waited.behalf), (waited.behalf, None)):
            raise _Broken(f"a resume by {names[0]} was applied, and {waited.actor} had asked for it")
        self._must_act = None

    def _override(self, entry: LogEntry, owner: Owner) -> None:
        if owner.role not in self._plan.approvals.override.roles or same(owner.identity, self._plan.proposer):
            raise _Broken(f"{owner.name} ({owner.role}) agreed to an override, and may not")
        command = self._command(entry)
        if isinstance(command, Override):
            self._agree(f"{command.metric.value} until {command.until.isoformat()}", owner)

    def _in_force(self, entry: LogEntry) -> None:
        key, rule = entry.message.removeprefix("Override in force: "), self._plan.approvals.override
        if self._exhibit.complete and not satisfied(rule, self._agreed.pop(key, ())):
            raise _Broken(f"an override came into force without agreement: {key} needs {rule.quorum}")

    def _stop(self, entry: LogEntry, owner: Owner) -> None:
        rule, command = self._plan.approvals.stop, self._command(entry)
        if owner.role not in rule.roles:
            raise _Broken(f"{owner.name} is {owner.role}, and agreed to stop, which is for {', '.join(rule.roles)}")
        if not isinstance(command, Stop):
            return
        given = self._agree(f"stop {command.resolution.model_dump_json()}", owner)
        if entry.message.startswith("Stopping: ") and not satisfied(rule, given):
            raise _Broken(f"the rollout was stopped without agreement: that needs {rule.quorum}")

    def _agree(self, key: str, owner: Owner) -> tuple[Agreed, ...]:
        given = (*self._agreed.get(key, ()), Agreed(owner.identity, owner.role))
        self._agreed[key] = given
        return given

    def _review(self, entry: LogEntry, owner: Owner) -> None:
        if owner.role not in self._plan.reviews.roles:
            raise _Broken(f"{owner.name} is {owner.role}, and held a review")
        self._reviews += 1

    def _confirm(self, entry: LogEntry, owner: Owner) -> None:
        if entry.detail.get("on_behalf_of"):
            raise _Broken(f"the ownership of {owner.name} was confirmed by somebody else")
        self._confirmed.add(owner.identity.casefold())


def _names(entry: LogEntry) -> tuple[str, str | None]:
    """Who acted, and in whose place; None where in nobody's."""
    behalf = entry.detail.get("on_behalf_of")
    return entry.actor or "", str(behalf) if behalf else None


def _place(entry: LogEntry) -> tuple[Phase, int | None]:
    """Phase and wave in which an entry was written."""
    phase, _, wave = entry.phase.partition(" wave ")
    try:
        return Phase(phase), int(wave) if wave else None
    except ValueError:
        raise _Broken(f"there is no phase {entry.phase[:60]!r}") from None


def _wave(phase: Phase, wave: int | None) -> int | None:
    return wave if phase is Phase.SCALE else None


def _told(place: tuple[Phase, int | None]) -> str:
    return place[0].value if place[1] is None else f"{place[0].value} wave {place[1]}"
