"""Whether a request is its owner's: its token against the keys at hand, what was used before, and what the plan says.

The check itself is `models/signatures.py`; here is what a rollout makes of it. Moments are real time, as in tokens.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models.agreement import ALWAYS_WORK as ALWAYS_WORK
from models.agreement import may_start, not_theirs
from models.claims import ADVANCING, Claims, DecisionKeys
from models.command import WATCH_ACTOR, WATCH_SAYS, Command, Decide, Delegate, Stop, Verb
from models.log import EntryKind, LogEntry, Signer
from models.plan import Decisions
from models.proof import Parked, Proofs, Spent
from models.reach import gate_into
from models.rollout import HoldKind, RolloutState, Status
from models.signatures import Doubt, of_request, of_start, proven
from workflows.asking import Refused
from workflows.journal import Now, hold, release, write

ASK_AGAIN = timedelta(seconds=30)
"""Real time between two looks for keys that somebody's token names and nobody knows."""

PARKED = 20
"""Requests that wait for keys at most."""

SPENT = 1000
"""Tokens remembered until they run out."""


def is_word(verb: Verb, command: Command) -> bool:
    """Whether the watch says it, or somebody in its name."""
    return command.actor == WATCH_ACTOR and verb in WATCH_SAYS


class UnknownKey(Refused):
    """The key of a token is not known yet."""


def signed(state: RolloutState) -> bool:
    """Whether what people ask for must be proven."""
    return state.decisions is Decisions.SIGNED


def cleared(state: RolloutState) -> bool:
    """Whether the rollout may touch anything: where decisions are signed, its start must have been proven."""
    return not signed(state) or state.started_by is not None or state.terminal is not None


def examined(state: RolloutState, verb: Verb, command: Command, now: Now) -> Claims | None:
    """The claims that prove a request; None where none are needed.

    The words of the watch need none: they can only halt.

    Raises:
        UnknownKey: all is right, but for the key, which nobody knows yet.
        Refused: nothing proves the request, or it is not that of the person it names.
    """
    if command.token is None:
        if signed(state) and not is_word(verb, command):
            raise Refused(f"decisions are signed here, and no signature proves that this is {command.actor}")
        return None
    wanted = of_request(state.plan.id, state.chain_id, state.plan_digest, verb, command)
    found = proven(command.token, state.keys, wanted, now.real)
    if isinstance(found, Doubt):
        raise (UnknownKey if found.unknown_key else Refused)(f"the signature does not hold: {found.reason}")
    if len(still_good(state.spent, now)) >= SPENT and verb not in ALWAYS_WORK:
        raise Refused("too many signed requests came in a short time; ask again in ten minutes")
    _is_the_person(state, verb, command, found, now)
    return found


def _is_the_person(state: RolloutState, verb: Verb, command: Command, claims: Claims, now: Now) -> None:
    problem = not_theirs(
        state.plan, verb, command.actor, claims, state.delegations, now.programme, signed=signed(state)
    )
    if problem:
        raise Refused(problem)


def still_good(spent: tuple[Spent, ...], now: Now) -> tuple[Spent, ...]:
    """The used tokens that have not run out by themselves."""
    return tuple(one for one in spent if one.until > now.real)


def used(state: RolloutState, claims: Claims, now: Now) -> RolloutState:
    """The state that knows the token again, until it has run out."""
    until = datetime.fromtimestamp(claims.exp, UTC)
    spent = (*still_good(state.spent, now), Spent(jti=claims.jti, until=until))
    return state.model_copy(update={"spent": spent[-2 * SPENT :]})


def stamped(before: RolloutState, after: RolloutState, command: Command, claims: Claims) -> RolloutState:
    """The entries that tell of a request with whose signature it bore. The token itself goes to the store alone."""
    signer = Signer(issuer=claims.iss, subject=claims.sub, name=claims.name)

    def mark(entry: LogEntry, token: str | None) -> LogEntry:
        if entry.sequence <= before.sequence or entry.request_id != command.request_id:
            return entry
        return entry.model_copy(update={"signed_by": signer, "token": token})

    return after.model_copy(
        update={
            "unrecorded": tuple(mark(one, command.token) for one in after.unrecorded),
            "recent": tuple(mark(one, None) for one in after.recent),
        }
    )


def kept(state: RolloutState, command: Command) -> RolloutState:
    """Keep a signed request that was applied, for as long as a step may rest on it."""
    proofs = state.proofs
    if isinstance(command, Decide) and state.gate is not None:
        counted = {one.request_id for one in state.gate.approvals}
        held = (one for one in (*proofs.decisions, command) if one.gate != command.gate or one.request_id in counted)
        proofs = proofs.model_copy(update={"decisions": tuple(held)})
    elif isinstance(command, Stop):
        proofs = proofs.model_copy(update={"stops": (*proofs.stops, command)})
    elif isinstance(command, Delegate) and command.until is not None:
        proofs = proofs.model_copy(update={"delegations": (*proofs.delegations, command)})
    return state.model_copy(update={"proofs": proofs})


def proofs_for(state: RolloutState) -> Proofs | None:
    """The signed requests that enrolling or withdrawing rests on now; None where decisions are not signed."""
    if not signed(state):
        return None
    gate = gate_into(state.plan, state.phase.value, state.wave)
    stopped_on = state.assessment.digest if state.stop_resolution and state.assessment else None
    return state.proofs.model_copy(
        update={
            "decisions": tuple(one for one in state.proofs.decisions if gate and one.gate == gate[0]),
            "stops": tuple(one for one in state.proofs.stops if one.resolution == state.stop_resolution),
            "stopped_on": stopped_on,
        }
    )


def parked(state: RolloutState, verb: Verb, command: Command) -> RolloutState:
    """Let a request wait for the keys.

    Raises:
        Refused: too many wait already.
    """
    if len(state.parked) >= PARKED:
        raise Refused("its key is not known, and too many requests wait for the keys already; ask again in a minute")
    one = Parked(verb=verb, command=command.model_dump_json())
    return state.model_copy(update={"parked": (*state.parked, one)})


def phase_key(state: RolloutState) -> str:
    """The phase or wave for which keys are asked."""
    return f"{state.phase.value} {state.wave or ''}".strip()


def keys_due_at(state: RolloutState, now: Now) -> datetime | None:
    """When the keys are to be asked for (real time), None while nothing needs them."""
    if state.terminal or not (signed(state) or state.parked):
        return None
    if state.keys_asked_at is None or (signed(state) and state.keys_for != phase_key(state)):
        return now.real
    if state.parked or not cleared(state):
        return max(now.real, state.keys_asked_at + ASK_AGAIN)
    return None


def keys_taken(state: RolloutState, keys: DecisionKeys, now: Now) -> RolloutState:
    """The keys are known, or known anew: the start is proven with them, or the rollout ends here."""
    if keys != state.keys:
        names = ", ".join(one.kid for one in keys.keys) or "none"
        state = write(state, now, EntryKind.NOTICE, f"Keys of decisions for {keys.audience}: {names}")
    update = {"keys": keys, "keys_asked_at": now.real, "keys_for": phase_key(state)}
    state = release(state.model_copy(update=update), now, HoldKind.KEYS)
    return state if cleared(state) else _start(state, now)


def _start(state: RolloutState, now: Now) -> RolloutState:
    token, at = state.proofs.start, state.started_at or now.real
    if token is None:
        return _not_started(state, "decisions are signed, and no signature proves who starts it", now)
    nameless = [one.identity for one in state.plan.owners if one.subject is None]
    if nameless:
        told = f"decisions are signed, and nothing says whose signature is that of {', '.join(nameless)}"
        return _not_started(state, told, now)
    found = proven(token, state.keys, of_start(state.plan.id, state.plan_digest), at)
    if isinstance(found, Doubt):
        if found.unknown_key and now.real < at + timedelta(seconds=ADVANCING):
            return hold(state, now, HoldKind.KEYS, found.reason)
        return _not_started(state, f"the signature does not hold: {found.reason}", now)
    problem = may_start(state.plan, found)
    if problem:
        return _not_started(state, problem, now)
    signer = Signer(issuer=found.iss, subject=found.sub, name=found.name)
    before, state = state, state.model_copy(update={"started_by": found.name})
    told = f"Started by {found.name} ({found.role}), whose signature covers the plan"
    state = write(state, now, EntryKind.DECISION, told, role=found.role, rationale=found.rationale, signed_by=signer)
    return _with_token(before, state, token)


def _with_token(before: RolloutState, state: RolloutState, token: str) -> RolloutState:
    told = (
        one.model_copy(update={"token": token}) if one.sequence > before.sequence and one.signed_by else one
        for one in state.unrecorded
    )
    return state.model_copy(update={"unrecorded": tuple(told)})


def _not_started(state: RolloutState, why: str, now: Now) -> RolloutState:
    """Over before anything was touched. Nobody is told: the addresses would be those of an unproven plan."""
    state = state.model_copy(update={"terminal": Status.STOPPED})
    return write(state, now, EntryKind.STOP, f"Not started: {why}")
