"""What a rollout keeps of signed requests: those its steps rest on, those it has seen, those it cannot verify yet."""

from __future__ import annotations

from models.base import Frozen, Instant
from models.command import Decide, Delegate, Stop, Verb


class Proofs(Frozen):
    """Signed requests, each with its token, so that whoever acts on them can look for themselves.

    `start` is the token that the rollout was started with; `decisions` are approvals of gates; `stops` are those that
    agreed to the stop; `delegations` say in whose place somebody acts. `stopped_on` is the evidence of a stop that
    nobody asked for.
    """

    start: str | None = None
    decisions: tuple[Decide, ...] = ()
    stops: tuple[Stop, ...] = ()
    delegations: tuple[Delegate, ...] = ()
    stopped_on: str | None = None


class Spent(Frozen):
    """A token that was used, by its `jti`: until `until` (real time) it must be known again."""

    jti: str
    until: Instant


class Parked(Frozen):
    """A request whose key is not known yet, as JSON: it is received again once the keys have been asked for."""

    verb: Verb
    command: str
