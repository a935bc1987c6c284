"""What lists need of a plan, without its bulk: who decides on it, and the course it takes."""

from __future__ import annotations

from models.base import Frozen
from models.owner import Identity, Owner, holders_of, owner_called
from models.plan import OptionKey


class CohortName(Frozen):
    """A cohort by its name alone."""

    name: str


class CohortNames(Frozen):
    """The cohorts that are enrolled, in their order."""

    pilot: CohortName
    waves: tuple[CohortName, ...]


class Outline(Frozen):
    """A part of a plan, under the plan's own names, so that what asks for no more can be given either."""

    chosen: OptionKey
    proposer: Identity
    owners: tuple[Owner, ...]
    cohorts: CohortNames

    def owner(self, identity: str) -> Owner | None:
        """As the plan's own."""
        return owner_called(self.owners, identity)

    def holders(self, *roles: str) -> tuple[Owner, ...]:
        """As the plan's own."""
        return holders_of(self.owners, roles)
