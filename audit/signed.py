"""Every signature of a log once more: by a pinned key, over this very request, and of the person it is said to be."""

from __future__ import annotations

from audit.checking_log import check_decision_keys
from audit.exhibit import Exhibit
from audit.findings import Check, Gap
from audit.standing_in import Delegations
from models.agreement import may_start, not_theirs
from models.base import Frozen
from models.claims import Claims, DecisionKeys
from models.command import WATCH_ACTOR, WATCH_SAYS, Choice, Verb
from models.log import LogEntry, Outcome, Signer, rejects
from models.names import rollout_workflow_id
from models.plan import RolloutPlan
from models.signatures import Doubt, Wanted, of_request, of_start, proven


class _Bench(Frozen):
    """What signatures are held against."""

    plan: RolloutPlan
    chain: str
    keys: DecisionKeys


def check_signatures(exhibit: Exhibit) -> None:
    """Look at the token of each entry; where decisions are signed, whatever was applied has one."""
    check_decision_keys(exhibit)
    if exhibit.plan is None or not exhibit.entries:
        return
    if not exhibit.signed:
        told = "decisions of this rollout are not signed: who decided is claimed"
        exhibit.unproven(Check.SIGNATURES, Gap.UNSIGNED, told)
    if not exhibit.trusted.decisions:
        if exhibit.signed:
            told = "no key of decisions is pinned, so no signature was verified"
            exhibit.unproven(Check.SIGNATURES, Gap.DECISION_KEYS, told)
        return
    keys = DecisionKeys(audience=exhibit.manifest.deployment, keys=exhibit.trusted.decisions)
    bench = _Bench(plan=exhibit.plan, chain=exhibit.manifest.chain, keys=keys)
    delegations, used, started = Delegations(exhibit), _Used(), False
    for entry in exhibit.entries:
        if entry.token is not None:
            good = _check(exhibit, entry, bench, delegations)
            exhibit.counts["signatures"] = exhibit.counts.get("signatures", 0) + good
            started = started or entry.verb is None
            before = used.take(entry)
            if before is not None:
                told = f"the signature was used before, for entry {before}: it stands for one request"
                exhibit.wrong(Check.SIGNATURES, told, entry=entry.sequence, found=f"request {entry.request_id}")
        elif entry.signed_by is not None:
            told = "the log says that a signature was found good, and has none"
            exhibit.wrong(Check.SIGNATURES, told, entry=entry.sequence, found=entry.signed_by.name)
        elif exhibit.signed and _needs_one(entry) and not used.answers(entry):
            told = f"the log applied a {entry.verb} that nobody signed"
            exhibit.wrong(Check.SIGNATURES, told, entry=entry.sequence, found=f"by {entry.actor}")
        delegations.take(entry)
    if exhibit.signed and not started and any(entry.kind.value == "enrolment" for entry in exhibit.entries):
        exhibit.wrong(Check.SIGNATURES, "partners were enrolled, and nobody signed the start", entry=1)


class _Used:
    """The signed requests so far: each is good for one entry, and for the one that settles it where that waited."""

    def __init__(self) -> None:
        self._by: dict[str | None, int] = {}
        self._waiting: set[tuple[str, str]] = set()

    def take(self, entry: LogEntry) -> int | None:
        """Take in an entry with a signature; the entry that had it before, if one had."""
        if not _took_effect(entry):
            return None  # who is refused may send again what was sent before
        before = self._by.setdefault(entry.request_id, entry.sequence)
        if entry.outcome is Outcome.PENDING and entry.request_id is not None:
            self._waiting.add((entry.request_id, entry.verb or ""))
        return before if before != entry.sequence else None

    def answers(self, entry: LogEntry) -> bool:
        """Whether an entry says what came of a signed request that had to wait."""
        asked = (entry.request_id or "", entry.verb or "")
        found = asked in self._waiting
        self._waiting.discard(asked)
        return found


def _took_effect(entry: LogEntry) -> bool:
    return entry.verb is not None and entry.outcome in (Outcome.APPLIED, Outcome.PENDING)


def _needs_one(entry: LogEntry) -> bool:
    if not _took_effect(entry):
        return False
    return not (entry.actor == WATCH_ACTOR and entry.verb in WATCH_SAYS)


def _check(exhibit: Exhibit, entry: LogEntry, bench: _Bench, delegations: Delegations) -> bool:
    """Whether the token of an entry proves what the entry says."""
    claims = proven(entry.token or "", bench.keys, _wanted(exhibit, entry, bench), entry.at, lapsed=entry.verb is None)
    if isinstance(claims, Doubt):
        exhibit.wrong(Check.SIGNATURES, f"the signature does not hold: {claims.reason}", entry=entry.sequence)
        return False
    problem = _person(exhibit, entry, claims, bench, delegations)
    if problem:
        told = "the signature is good, but not that of the person"
        exhibit.wrong(
            Check.SIGNATURES, f"{told}: {problem}", entry=entry.sequence, found=claims.sub, expected=entry.actor
        )
        return False
    if _took_effect(entry) and entry.role != claims.role:
        told = "the log names another role than the signature does"
        exhibit.wrong(Check.SIGNATURES, told, entry=entry.sequence, found=claims.role, expected=str(entry.role))
        return False
    signer = Signer(issuer=claims.iss, subject=claims.sub, name=claims.name)
    if entry.signed_by != signer:
        told = "the log names another signer than the signature does"
        found = entry.signed_by.subject if entry.signed_by else "nobody"
        exhibit.wrong(Check.SIGNATURES, told, entry=entry.sequence, found=found, expected=claims.sub)
        return False
    return True


def _wanted(exhibit: Exhibit, entry: LogEntry, bench: _Bench) -> Wanted:
    """What the token must say: of the whole request where the history has it, otherwise what the entry repeats."""
    if entry.verb is None:
        return of_start(bench.plan.id, bench.plan.digest)
    _, command = exhibit.asked.get(entry.sequence, (None, None))
    if command is not None and entry.verb in {one.value for one in Verb}:
        return of_request(bench.plan.id, bench.chain, bench.plan.digest, Verb(entry.verb), command)
    said = {"rationale": entry.rationale, "jti": entry.request_id}
    if entry.verb == Verb.DECIDE:
        said |= {"gate": entry.gate, "evidence": entry.evidence_digest}
        if _took_effect(entry):
            said["decision"] = (Choice.REJECT if rejects(entry) else Choice.APPROVE).value
    return Wanted(
        wf=rollout_workflow_id(bench.plan.id), chain=bench.chain, plan=bench.plan.digest, verb=entry.verb, said=said
    )


def _person(exhibit: Exhibit, entry: LogEntry, claims: Claims, bench: _Bench, delegations: Delegations) -> str | None:
    if entry.verb is None:
        return may_start(bench.plan, claims)
    if entry.detail.get("on_behalf_of") and not exhibit.asked:
        return None  # in whose place somebody acts, only the history tells: its absence is told by itself
    standing = delegations.standing(entry.programme_at)
    actor, verb = entry.actor or "", Verb(entry.verb)
    return not_theirs(bench.plan, verb, actor, claims, standing, entry.programme_at, signed=exhibit.signed)
