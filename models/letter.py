"""A letter as the outbox keeps it and the log names it: whom it goes to, what it says, and the digest of both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from models.base import Frozen, Instant, digest_json
from models.brief import Lean
from models.command import Verb
from models.log import LogEntry
from models.plan import Owner, RolloutPlan
from models.rollout import Delegation, Notice

PROGRAMS = "*"
"""In place of a contact: the notice as programs get it, once, however many persons are written to."""

NAMED = "letters"
"""Under this name the detail of an entry has the letters that were written with it."""

_GATES = frozenset({"awaiting", "reminder", "escalation"})

_SAID = ("cause", "due", "evidence_digest", "gate", "must_act", "programme_at")
"""What a notice says of itself to programs. Where the rollout stands is added from the store, and is not its own."""

_ID = re.compile(r"(0|[1-9][0-9]{0,17})/([a-z][a-z-]{0,63})")


WRITTEN = "Letter written ("
"""Begins what an entry says that does nothing but name a letter."""


class NamedLetter(Lean):
    """A letter as an entry of the log names it: its kind, the entry it is about, the roles it is for (none: the plan's
    audiences), why, and the digest of what was written."""

    kind: str
    about: int
    to: tuple[str, ...] = ()
    cause: str | None = None
    digest: str


class OutboxLetter(Frozen):
    """A letter as it lies in the outbox, one of a notice for each contact, and what has become of it: `delivered` names
    the channels that took it, `refused` those that never will; `problem` is that of the latest attempt. Real time."""

    notice: str
    contact: str
    kind: str
    subject: str
    body: str
    about: dict[str, Any]
    written_at: Instant
    state: str
    attempts: int
    delivered: tuple[str, ...]
    refused: tuple[str, ...]
    problem: str | None
    next_try_at: Instant | None
    sent_at: Instant | None
    refused_at: Instant | None


def notice_id(rollout_id: str, chain_id: str, about: int, kind: str) -> str:
    """Under which a notice about an entry is known: the same each time it is written."""
    return f"{notice_head(rollout_id, chain_id)}{about}/{kind}"


def notice_head(rollout_id: str, chain_id: str) -> str:
    """What the ids of a rollout's notices begin with."""
    return f"{rollout_id}/{chain_id}/"


def place_of(found: str, rollout_id: str, chain_id: str) -> tuple[int, str] | None:
    """Entry and kind of a notice that the rollout itself has written; None for one that something else wrote about it.

    Raises:
        ValueError: it is no notice of this chain.
    """
    head = notice_head(rollout_id, chain_id)
    if not found.startswith(head):
        raise ValueError(f"{found[:200]!r} is no notice of {head[:-1]}")
    told = _ID.fullmatch(found.removeprefix(head))
    return (int(told[1]), told[2]) if told else None


def recipients(plan: RolloutPlan, notice: Notice, given: Sequence[Delegation] = ()) -> tuple[str, ...]:
    """Where a notice goes: the holders of its roles, and whoever acts for them; the plan's audiences when the change is
    communicated.

    Roles that nobody holds would make it a notice to nobody, so then every owner gets it.
    """
    if notice.kind == "communicate":
        return tuple(dict.fromkeys(audience.contact for audience in plan.communication))
    owners = [one for one in plan.holders(*notice.roles) or plan.owners if not _is_barred(plan, notice, one)]
    in_their_place = (one.identity for one in given if one.owner in {owner.identity for owner in owners})
    return tuple(dict.fromkeys((*(owner.contact for owner in owners), *in_their_place)))


def said(plan: RolloutPlan, notice: Notice) -> dict[str, Any]:
    """What the notice says of itself to programs, as JSON."""
    found = notice.model_dump(mode="json", include={"programme_at", "gate", "evidence_digest", "cause", "due"})
    owners = plan.holders(*notice.must_act) if notice.must_act else ()
    persons = [_person(owner) for owner in owners if not _is_barred(plan, notice, owner)]
    return {**dict.fromkeys(_SAID), **found, "must_act": persons}


def digest_of(kind: str, subject: str, body: str, about: Mapping[str, Any], to: Sequence[str]) -> str:
    """The digest of a letter: of what it says to people and to programs, and of whom it goes to.

    Args:
        body: without the checkpoint that is quoted at its end, which is signed only after the log has named the letter.
        about: of this, what a notice says of itself.
        to: the contacts, in any order; programs, who get every letter, need not be among them.
    """
    return digest_json(
        {
            "kind": kind,
            "subject": subject,
            "body": body,
            "about": {name: about[name] for name in _SAID if name in about},
            "to": sorted({*to} - {PROGRAMS}),
        }
    )


def named(plan: RolloutPlan, notice: Notice, about: int, to: Sequence[str]) -> NamedLetter:
    """The letter as the log names it."""
    digest = digest_of(notice.kind, notice.subject, notice.body, said(plan, notice), to)
    return NamedLetter(kind=notice.kind, about=about, to=notice.roles, cause=notice.cause, digest=digest)


def letters_of(detail: Mapping[str, Any]) -> tuple[NamedLetter, ...]:
    """The letters that an entry names, out of its detail.

    Raises:
        ValueError: what stands there names none.
    """
    found = detail.get(NAMED, [])
    if not isinstance(found, list | tuple):
        raise ValueError(f"{NAMED} of the entry is no list")
    return tuple(NamedLetter.model_validate(one, strict=False) for one in found)


def only_names(entry: LogEntry) -> bool:
    """Whether an entry does nothing but name a letter about another one: what happened stands there."""
    return NAMED in entry.detail and entry.message.startswith(WRITTEN)


def quoted(number: int, size: int, note: str) -> str:
    """What stands at the end of a letter about a turn of a rollout: the checkpoint over it, whose root is the third
    line of its note."""
    entries = "1 entry" if size == 1 else f"{size} entries"
    return f"\n\nDecision log: checkpoint {number} over {entries}, root {note.split(chr(10), 3)[2]}"


def _is_barred(plan: RolloutPlan, notice: Notice, owner: Owner) -> bool:
    """Whether an owner is the proposer, and the notice asks for what a proposer may not do."""
    asks = notice.kind in _GATES or (notice.kind == "agreement" and notice.cause == Verb.OVERRIDE)
    return asks and owner.role in notice.must_act and owner.identity.casefold() == plan.proposer.casefold()


def _person(owner: Owner) -> dict[str, str]:
    return {"role": owner.role, "name": owner.name, "identity": owner.identity}
