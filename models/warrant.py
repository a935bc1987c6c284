"""What enrolling and withdrawing rests on: signed requests, looked at once more by whoever carries it out.

A workflow is only as good as whoever works on its queue. These checks take nothing from it but the requests themselves:
the plan is what the start was signed for, each approval is by the person the plan names, and the keys are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from models.agreement import Agreed, acting_for, may_start, satisfied
from models.claims import BREAK_GLASS, Claims, DecisionKeys
from models.clock import ProgrammeClock
from models.command import Choice, Command, Decide, Verb
from models.evidence import Assessment, Verdict
from models.owner import Owner
from models.plan import ConflictPolicy, Fate, RolloutPlan, StopResolution
from models.plan_metric import OnBreach
from models.proof import Proofs
from models.reach import cohorts_to_enrol, gate_into
from models.signatures import Doubt, of_request, of_start, proven


class NotProven(Exception):
    """Nothing that holds says that this may be done."""


@dataclass(frozen=True)
class _StandIn:
    owner: str
    issuer: str | None
    subject: str | None
    until: datetime


@dataclass(frozen=True)
class Case:
    """A rollout as it is registered, the requests it sends along, and the keys to look at them with.

    `at` is the real moment; tokens may have run out since they were acted on, but none may be from the future.
    """

    rollout_id: str
    chain_id: str
    plan: RolloutPlan
    clock: ProgrammeClock
    proofs: Proofs
    keys: DecisionKeys
    at: datetime

    def enrol(self, phase: str, wave: int | None, cohort: str) -> None:
        """Whether owners approved that this phase or wave enrols this cohort.

        Raises:
            NotProven: they did not, or the plan is not the one that was started.
        """
        self._started()
        if wave is not None and not 1 <= wave <= max(len(self.plan.cohorts.waves), 1):
            raise NotProven(f"the plan has no wave {wave}")
        if cohort not in cohorts_to_enrol(self.plan, phase, wave):
            raise NotProven(f"the plan enrols no cohort {cohort} in {phase} {wave or ''}".rstrip())
        gate = gate_into(self.plan, phase, wave)
        if gate is None:
            raise NotProven(f"no gate of the plan leads into {phase}")
        key, rule = gate
        agreed = [self._approval(one, key) for one in self.proofs.decisions]
        for owner in agreed:
            if owner.role not in rule.roles:
                raise NotProven(f"{owner.name} is {owner.role}, who does not approve {key}")
        if not satisfied(rule, _all(agreed)):
            raise NotProven(f"{key} needs {rule.quorum} of {', '.join(rule.roles)}; {_told(agreed)} signed for it")

    def withdraw(self, assessment: Assessment | None) -> None:
        """Whether owners agreed to stop and withdraw, or evidence stopped the rollout as the plan says.

        Args:
            assessment: the one the rollout says it was stopped on, as the store has it.

        Raises:
            NotProven: neither.
        """
        self._started()
        if self.proofs.stops:
            self._stopped_by_people()
            return
        if assessment is None or not _stops(self.plan, assessment):
            raise NotProven("nobody signed a stop, and no evidence in the store asks for one")
        _must_withdraw(self.plan.on_automatic_stop)

    def _stopped_by_people(self) -> None:
        rule, stops = self.plan.approvals.stop, self.proofs.stops
        for one in stops:
            _must_withdraw(one.resolution)
            if one.resolution != stops[0].resolution:
                raise NotProven("those who signed the stop want different things of it")
        agreed = []
        for one in stops:
            claims = self._claims(Verb.STOP, one)
            if claims.role == BREAK_GLASS:
                return
            agreed.append(self._owner(claims))
        able = [owner for owner in agreed if owner.role in rule.roles]
        if not satisfied(rule, _all(able)):
            raise NotProven(f"a stop needs {rule.quorum} of {', '.join(rule.roles)}; {_told(able)} signed for it")

    def _started(self) -> None:
        if self.plan.id != self.rollout_id:
            raise NotProven(f"rollout {self.rollout_id} is registered with the plan {self.plan.id}")
        if self.proofs.start is None:
            raise NotProven("nobody signed the start")
        wanted = of_start(self.plan.id, self.plan.digest)
        found = proven(self.proofs.start, self.keys, wanted, self.at, lapsed=True)
        problem = found.reason if isinstance(found, Doubt) else may_start(self.plan, found)
        if problem:
            raise NotProven(f"the start is not proven: {problem}")

    def _claims(self, verb: Verb, command: Command) -> Claims:
        if command.token is None:
            raise NotProven(f"a {verb.value} is not signed")
        wanted = of_request(self.plan.id, self.chain_id, self.plan.digest, verb, command)
        found = proven(command.token, self.keys, wanted, self.at, lapsed=True)
        if isinstance(found, Doubt):
            raise NotProven(f"the signature of a {verb.value} does not hold: {found.reason}")
        return found

    def _owner(self, claims: Claims) -> Owner:
        """Whose agreement a signature is."""
        signed_at = self.clock.programme(datetime.fromtimestamp(claims.iat, UTC))
        owner = acting_for(self.plan, claims, self._stand_ins(), signed_at)
        if owner is None:
            raise NotProven(f"{claims.name} ({claims.sub} at {claims.iss}) is no owner of the plan")
        if claims.role != owner.role:
            raise NotProven(f"{claims.name} signed as {claims.role}; {owner.name} is {owner.role} in the plan")
        return owner

    def _stand_ins(self) -> tuple[_StandIn, ...]:
        found = []
        for one in self.proofs.delegations:
            claims = self._claims(Verb.DELEGATE, one)
            owner = self.plan.signer(claims.iss, claims.sub)
            if owner is None or claims.role != owner.role or one.until is None:
                raise NotProven(f"{claims.name} has no place in the plan to let somebody act in")
            if one.identity.casefold() == self.plan.proposer.casefold():
                raise NotProven("the proposer acts in nobody's place")
            found.append(_StandIn(owner.identity, one.issuer, one.subject, one.until))
        return tuple(found)

    def _approval(self, command: Decide, key: str) -> Owner:
        owner = self._owner(self._claims(Verb.DECIDE, command))
        if command.gate != key or command.choice is not Choice.APPROVE or command.plan_digest != self.plan.digest:
            raise NotProven(f"{owner.name} did not approve {key} of this plan")
        if owner.identity.casefold() == self.plan.proposer.casefold():
            raise NotProven("the proposer does not approve their own change")
        if command.declared_conflict and self.plan.conflict_of_interest.policy is ConflictPolicy.BAR:
            raise NotProven(f"{owner.name} declared a conflict of interest")
        return owner


def _all(owners: Sequence[Owner]) -> list[Agreed]:
    return [Agreed(one.identity, one.role) for one in owners]


def _told(owners: Sequence[Owner]) -> str:
    return ", ".join(dict.fromkeys(f"{one.name} ({one.role})" for one in owners)) or "nobody"


def _must_withdraw(resolution: StopResolution) -> None:
    if Fate.WITHDRAW not in (resolution.finished, resolution.current):
        raise NotProven("the stop keeps every cohort that is enrolled")


def _stops(plan: RolloutPlan, assessment: Assessment) -> bool:
    """Whether evidence fulfils a stop condition, or breaches a guardrail that stops."""
    breached = {
        item.metric
        for item in assessment.items
        # What pauses instead, because nobody can see or the data are in doubt, says so itself.
        if item.verdict is Verdict.NOT_MET and item.on_breach is OnBreach.STOP
    }
    found = (plan.metric(one) for one in breached)
    return bool(assessment.stop) or any(one is not None and one.on_breach is OnBreach.STOP for one in found)
