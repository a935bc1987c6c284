"""How the owners of a plan behave in a backtest: after how long each of them answers, and who is away when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.base import Duration, Frozen
from models.plan import Owner

ANSWERS_AFTER = timedelta(days=2)
"""Programme time after which every owner answers, where nobody says otherwise."""

AGAIN = timedelta(days=7)
"""Programme time after which a resume that was refused is asked for again."""

Wait = Annotated[Duration, Field(ge=timedelta(0))]


class Asked(StrEnum):
    """What an owner can be awaited for."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    REVIEW = "review"
    RESUME = "resume"


class Absence(Frozen):
    """Away from the first day until `back`, the first day on which the owner answers again (midnight UTC)."""

    since: date
    back: date

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.back <= self.since:
            raise ValueError(f"found back {self.back}; it must be later than since {self.since}")
        return self

    def delayed(self, at: datetime) -> datetime:
        """When somebody answers who would have answered at this moment."""
        return _midnight(self.back) if _midnight(self.since) <= at < _midnight(self.back) else at


class Habits(Frozen):
    """One owner. What is left open is as for all others; `absent` true is away all the time."""

    answers_after: Wait | None = None
    confirm: Wait | None = None
    approve: Wait | None = None
    review: Wait | None = None
    resume: Wait | None = None
    absent: bool | tuple[Absence, ...] = False


class Script(Frozen):
    """All owners. `owners` is by role, or by identity for one of several who hold a role.

    An owner answers so long after being asked: to confirm since the start, to approve since the gate opened, to hold a
    review since it was due, to resume since the pause began and, while that is refused, every `resume_again`. Who is
    away answers on coming back. After `stop_after` refused resumes of one pause the rollout is stopped; never without.
    """

    answers_after: Wait = ANSWERS_AFTER
    confirm: Wait | None = None
    approve: Wait | None = None
    review: Wait | None = None
    resume: Wait | None = None
    resume_again: Annotated[Duration, Field(ge=timedelta(days=1))] = AGAIN
    stop_after: Annotated[int, Field(ge=1)] | None = None
    owners: dict[str, Habits] = {}

    def wait(self, owner: Owner, asked: Asked) -> timedelta:
        """How long this owner takes to answer."""
        own = self._habits(owner)
        said: tuple[timedelta | None, ...] = (
            getattr(own, asked.value),
            own.answers_after,
            getattr(self, asked.value),
        )
        return next((one for one in said if one is not None), self.answers_after)

    def answers_at(self, owner: Owner, asked: Asked, since: datetime) -> datetime | None:
        """When an owner who is asked at a moment answers; None for never."""
        absent = self._habits(owner).absent
        at = since + self.wait(owner, asked)
        if isinstance(absent, bool):
            return None if absent else at
        for one in sorted(absent, key=lambda absence: absence.since):
            at = one.delayed(at)
        return at

    def strangers(self, owners: tuple[Owner, ...]) -> tuple[str, ...]:
        """Keys that are neither a role nor an identity of the plan."""
        known = {one.role for one in owners} | {one.identity.casefold() for one in owners}
        return tuple(key for key in self.owners if key.casefold() not in known)

    def _habits(self, owner: Owner) -> Habits:
        by_key = {key.casefold(): habits for key, habits in self.owners.items()}
        return by_key.get(owner.identity.casefold()) or by_key.get(owner.role) or Habits()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
