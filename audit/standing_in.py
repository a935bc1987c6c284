"""Who stood in for whom, and until when, by the delegations that a log tells of."""

from __future__ import annotations

from datetime import datetime

from audit.exhibit import Exhibit
from models.agreement import same
from models.base import Frozen, Instant
from models.command import Delegate, Verb
from models.log import LogEntry, Outcome


class Given(Frozen):
    """Somebody who may act in an owner's place until a programme time."""

    owner: str
    identity: str
    issuer: str | None
    subject: str | None
    until: Instant


class Delegations:
    """What stands at a moment, taken in entry by entry."""

    def __init__(self, exhibit: Exhibit) -> None:
        self._exhibit = exhibit
        self._given: tuple[Given, ...] = ()

    def take(self, entry: LogEntry) -> None:
        """Take in a delegation, or the end of one, if the entry tells of it."""
        if entry.verb != Verb.DELEGATE or entry.outcome is not Outcome.APPLIED or entry.actor is None:
            return
        owner = entry.actor
        _, command = self._exhibit.asked.get(entry.sequence, (None, None))
        self._given = tuple(one for one in self._given if not same(one.owner, owner))
        if isinstance(command, Delegate) and command.until is not None:
            one = Given(
                owner=owner,
                identity=command.identity,
                issuer=command.issuer,
                subject=command.subject,
                until=command.until,
            )
            self._given = (*self._given, one)

    def standing(self, at: datetime) -> tuple[Given, ...]:
        """Those that have not ended at a programme time."""
        return tuple(one for one in self._given if at < one.until)
