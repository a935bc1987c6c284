"""Owners, and the texts a plan is written in: what may stand in a name, an identity, a role."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from models.base import Grown

# Control characters would steer the terminal of whoever reads a plan, and PostgreSQL cannot store all of them; those
# that turn the direction of writing would show a sentence as another one.
_VISIBLE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"

# Nor may an identity hold anything that cannot be seen: one person would look like another, or like two.
_SEEN = r"[^\s@\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+"

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_VISIBLE)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Identity = Annotated[str, StringConstraints(pattern=f"^{_SEEN}@{_SEEN}$", max_length=200)]
_PLAIN = r"^[^\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$"

Issuer = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_PLAIN)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_PLAIN)]
"""Who somebody is by the service that they sign in with: compared to the letter, unlike an e-mail address."""

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,40}$")]
PartnerId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_VISIBLE)]
Attribute = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_VISIBLE)]


def said(description: str, **more: Any) -> Any:
    """A field with its description: editors show it, and docs/plan-fields.md is made of it."""
    return Field(description=description, **more)


class Owner(Grown):
    """A named person with the one role they hold here."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"issuer": ["subject"], "subject": ["issuer"]}},
    )
    later: ClassVar[frozenset[str]] = frozenset({"issuer", "subject"})

    role: Role = said("the role, in lower case: `finance_owner`; several persons may hold the same one")
    name: Text = said("the person's name")
    identity: Identity = said("who they are when they decide: an e-mail address; its letter case does not matter")
    contact: Identity = said("where notices, reminders and escalations go: an e-mail address")
    issuer: Issuer | None = said(
        "the service they sign in with, as it names itself (OpenID Connect `iss`); signed decisions need it",
        default=None,
    )
    subject: Subject | None = said(
        "who they are there (`sub`): unlike an e-mail address it is never given to somebody else", default=None
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.issuer is None) != (self.subject is None):
            raise ValueError("issuer and subject go together")
        return self

    def signs_as(self, issuer: str, subject: str) -> bool:
        """Whether a signature of this person is theirs."""
        return self.issuer is not None and (self.issuer, self.subject) == (issuer, subject)


def owner_called(owners: Sequence[Owner], identity: str) -> Owner | None:
    """The owner with this identity, None for a stranger. Letter case does not matter."""
    folded = identity.casefold()
    return next((owner for owner in owners if owner.identity.casefold() == folded), None)


def holders_of(owners: Sequence[Owner], roles: Collection[str]) -> tuple[Owner, ...]:
    """The owners who hold one of the roles."""
    return tuple(owner for owner in owners if owner.role in roles)
