"""A fact is the fold of its events: pure, and the same in whatever order, and however often, they arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

from store.events.types import DATA
from store.intake.kinds import FactKind

Columns = dict[str, Any]


class Happening(NamedTuple):
    """One version of one event. Text and booleans in `data`; `at` in UTC, spelled as `isoformat` does.

    `retracted`: this version says that the event never happened.
    """

    type: str
    at: str
    version: int
    event_id: str
    data: Mapping[str, Any]
    retracted: bool = False


class Fact(NamedTuple):
    """A row that the events make; `columns` holds all that events say of this kind, as text, booleans or None."""

    kind: FactKind
    source_id: str
    columns: Columns


class Change(NamedTuple):
    """What a type does to a fact that is there: when, with which fields, and what goes without saying.

    `first`: of several the first counts, otherwise the last.
    """

    column: str
    first: bool = False
    fields: tuple[str, ...] = ()
    implied: Mapping[str, Any] = {}


class Base(NamedTuple):
    """The type without which there is no fact of a kind, and the column that holds when it happened."""

    type: str
    column: str | None
    key: str | None = None
    """Column that is the subject unless the data name another."""

    renamed: Mapping[str, str] = {}
    """Fields of the data whose column is called otherwise."""

    @property
    def fields(self) -> dict[str, str]:
        """Columns that it fills, each with the field of the data that it comes from."""
        names = [field.alias or name for name, field in DATA[self.type][1].model_fields.items()]
        return {self.renamed.get(name, name): name for name in names}


BASES: Final = {
    FactKind.LEADS: Base("lead.assigned", "assigned_at"),
    FactKind.LEAD_PAUSES: Base("lead.paused", "paused_at"),
    FactKind.LEAD_EVENTS: Base("lead.event.recorded", "at"),
    FactKind.OPPORTUNITIES: Base("deal.registered", "registered_at"),
    FactKind.OPPORTUNITY_STAGES: Base("deal.stage.entered", "entered_at"),
    FactKind.MDF_REQUESTS: Base("mdf.request.submitted", "submitted_at", "request_id"),
    FactKind.MDF_CLAIMS: Base("mdf.claim.submitted", "submitted_at"),
    FactKind.ENABLEMENT: Base("enablement.assigned", "assigned_at"),
    FactKind.COMPLIANCE_RESULTS: Base("compliance.result.recorded", "assessed_at", None, {"check_version": "version"}),
    FactKind.COMPLIANCE_WAIVERS: Base("compliance.waiver.granted", None),
    FactKind.TRANSACTIONS: Base("transaction.recorded", None, "transaction_id"),
    FactKind.COSTS: Base("cost.recorded", None),
}

BEGINNINGS: Final = frozenset(base.type for base in BASES.values())
"""The types that begin facts."""

_YES = {"decision": "approved"}
_NO = {"decision": "rejected", "approved_amount": None}

CHANGES: Final = {
    "lead.accepted": Change("accepted_at", first=True),
    "lead.contacted": Change("first_contact_at", first=True),
    "lead.reassigned": Change("reassigned_at", first=True),
    "lead.rejected": Change("rejected_at", first=True, fields=("rejected_reason",)),
    "lead.recalled": Change("excluded_at", first=True, fields=("excluded_reason",)),
    "lead.resumed": Change("resumed_at", first=True),
    "deal.qualified": Change("qualified_at", first=True),
    "deal.closed": Change("closed_at", fields=("outcome", "amount")),
    "mdf.request.approved": Change("decided_at", fields=("approved_amount", "approver"), implied=_YES),
    "mdf.request.rejected": Change("decided_at", fields=("approver",), implied=_NO),
    "mdf.request.released": Change("released_at", first=True, fields=("released_reason",)),
    "mdf.claim.approved": Change("decided_at", fields=("approved_amount", "approver", "late_waived_by"), implied=_YES),
    "mdf.claim.rejected": Change("decided_at", fields=("approver",), implied=_NO | {"late_waived_by": None}),
    "mdf.claim.paid": Change("paid_at", fields=("paid_amount",)),
    "mdf.claim.withdrawn": Change("withdrawn_at", first=True),
    "enablement.due_changed": Change("due_changed_at", fields=("due_on",)),
    "enablement.completed": Change(
        "completed_at", first=True, fields=("valid_until", "score"), implied={"passed": True}
    ),
    "enablement.failed": Change("completed_at", fields=("score",), implied={"passed": False, "valid_until": None}),
    "enablement.waived": Change("waived_at", first=True, fields=("waived_by",)),
    "enablement.withdrawn": Change("withdrawn_at", first=True),
    "compliance.waiver.revoked": Change("revoked_at", first=True),
}

_ALSO: Final = {
    FactKind.OPPORTUNITIES: ("last_activity_at",),
    FactKind.ENABLEMENT: ("previous_due_on",),
}
_REOPENED: Final = "deal.reopened"
REOPENING: Final = ("opportunity_id", "closed_at", "outcome", "amount", "reopened_at")


def _columns_of(kind: FactKind) -> tuple[str, ...]:
    base = BASES[kind]
    names = [*base.fields, *filter(None, (base.column, base.key)), *_ALSO.get(kind, ())]
    for type_, change in CHANGES.items():
        if DATA[type_][0] is kind:
            names += [change.column, *change.fields, *change.implied]
    return tuple(dict.fromkeys(names))


COLUMNS: Final = {kind: _columns_of(kind) for kind in BASES} | {FactKind.OPPORTUNITY_REOPENINGS: REOPENING}
"""What events say of each kind, besides its key; other columns of a row are left as they are."""

_BLANK: Final[dict[FactKind, Columns]] = {kind: dict.fromkeys(names) for kind, names in COLUMNS.items()}
_PLAIN: Final = frozenset(BASES) - {FactKind.OPPORTUNITIES, FactKind.ENABLEMENT}
"""Kinds of which a fact that has only begun says what its first event does, and no more."""

_FILLED: Final = {
    kind: (tuple(base.fields), tuple(base.fields.values())) if base.renamed else None for kind, base in BASES.items()
}
"""Columns and the fields that they come from, of kinds where some are called otherwise."""


_by_time: Final = itemgetter(*map(Happening._fields.index, ("at", "version", "event_id")))


def fold(
    kind: FactKind, subject: str, known: Sequence[Happening], stored: Mapping[str, Any] | None = None
) -> tuple[Fact, ...] | None:
    """The rows that all events known of a subject make; None while the one is missing without which there is none.

    Args:
        known: every version of every event of the subject, in any order.
        stored: the row as a file brought it, for a fact whose first event never comes as an event: what is written
            there counts beside the events, but for what an event, also one corrected since, had written.
    """
    base = BASES[kind]
    type_, column, key, _ = base
    ordered = known if len(known) == 1 else sorted(in_force(known), key=_by_time)
    if any([one.retracted for one in ordered]):
        ordered = list(filter(_says_something, ordered))
    state = _BLANK[kind].copy()
    begun = [one for one in ordered if one.type == type_]
    if begun:
        last = begun[-1]
        filled = _FILLED[kind]
        state.update(zip(filled[0], map(last.data.get, filled[1]), strict=True) if filled else last.data)
        if column:
            state[column] = last.at
        if key and state.get(key) is None:
            state[key] = subject
    elif stored is not None:
        state.update((column, stored.get(column)) for column in (*base.fields, *filter(None, (base.column, base.key))))
        if stored.get("previous_due_on") is not None:
            state["due_on"] = stored["previous_due_on"]
        if kind is FactKind.OPPORTUNITIES:
            state["last_activity_at"] = _active(stored, known)
        ordered = sorted([*ordered, *_written(kind, stored, known)], key=_by_time)
    else:
        return None
    if kind in _PLAIN and len(begun) == len(ordered):
        return (Fact(kind, subject, state),)
    changes = [one for one in ordered if one.type != type_]
    if kind is FactKind.OPPORTUNITIES:
        return _deal(subject, state, ordered)
    if kind is FactKind.ENABLEMENT:
        return (Fact(kind, subject, _course(state, changes)),)
    if kind is FactKind.LEAD_PAUSES:
        changes = [_not_before(state["paused_at"], one) for one in changes]
    for one in changes:
        _apply(state, one)
    if kind is FactKind.MDF_CLAIMS and state["paid_at"] is not None:
        # What is paid can no longer be taken back.
        state["withdrawn_at"] = None
    return (Fact(kind, subject, state),)


def in_force(known: Iterable[Happening]) -> list[Happening]:
    """Of each event the highest version."""
    known = list(known)
    if len({one.event_id for one in known}) == len(known):
        return known
    newest: dict[str, Happening] = {}
    for one in known:
        other = newest.get(one.event_id)
        if other is None or other.version < one.version:
            newest[one.event_id] = one
    return list(newest.values())


def taken_back(known: Iterable[Happening]) -> bool:
    """Whether nothing of it ever happened: the newest version of each event takes it back."""
    return all(one.retracted for one in in_force(known))


def _says_something(one: Happening) -> bool:
    """A reopening that was taken back has left a row, which may not vanish."""
    return not one.retracted or one.type == _REOPENED


def _apply(state: Columns, one: Happening) -> None:
    change = CHANGES[one.type]
    if change.first and state[change.column] is not None:
        return
    state[change.column] = one.at
    for name in change.fields:
        state[name] = one.data.get(name)
    if change.implied:
        state.update(change.implied)


def _not_before(begun: str, one: Happening) -> Happening:
    """A pause that ends before it begins lasted no time: it moves no deadline, and its end may still be corrected."""
    return one._replace(at=max(one.at, _utc(begun)))


def _utc(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).isoformat()


def _deal(subject: str, state: Columns, ordered: Sequence[Happening]) -> tuple[Fact, ...]:
    """The last close counts; one that was undone stands in a row of its own.

    Reopening a deal that was not closed yet undoes nothing, and says so by a close that lasted no time: a row that is
    there may not vanish when its close is corrected to a later moment, or the reopening is taken back.
    """
    reopenings: list[Fact] = []
    won_for: str | None = None
    for one in ordered:
        at = one.at
        if one.type == _REOPENED:
            undone = {"closed_at": state["closed_at"], "outcome": state["outcome"], "amount": won_for}
            if state["closed_at"] is None or one.retracted:
                undone = {"closed_at": at, "outcome": "cancelled", "amount": None}
            row = {"opportunity_id": subject, **undone, "reopened_at": at}
            reopenings.append(Fact(FactKind.OPPORTUNITY_REOPENINGS, one.event_id, row))
            if not one.retracted:
                state["closed_at"] = state["outcome"] = None
            continue
        if one.type == "deal.closed":
            state["closed_at"], state["outcome"] = at, one.data["outcome"]
            # Of a deal that was not won no amount counts; what others said of it by now is no part of this close.
            won_for = one.data["amount"] if one.data["outcome"] == "won" else None
        elif one.type == "deal.qualified":
            state["qualified_at"] = state["qualified_at"] or at
        if one.data.get("amount") is not None:
            state["amount"] = one.data["amount"]
    moments = [one.at for one in ordered if not one.retracted]
    state["last_activity_at"] = max([*moments, *filter(None, [state["last_activity_at"]])], default=None)
    return (Fact(FactKind.OPPORTUNITIES, subject, state), *reopenings)


def _course(state: Columns, changes: Sequence[Happening]) -> Columns:
    """The first pass counts, whatever failed before or after it; a day that is moved again replaces the move before."""
    state["passed"] = True
    for one in changes:
        passed = state["completed_at"] is not None and state["passed"]
        if one.type == "enablement.due_changed":
            state["previous_due_on"], state["due_on"] = state["due_on"], one.data["due_on"]
            state["due_changed_at"] = one.at
        elif one.type == "enablement.expired":
            if passed:
                lapsed = (date.fromisoformat(one.at[:10]) - timedelta(days=1)).isoformat()
                state["valid_until"] = min(state["valid_until"] or lapsed, lapsed)
        elif one.type not in ("enablement.completed", "enablement.failed"):
            _apply(state, one)
        elif not passed:
            state["completed_at"] = None
            _apply(state, one)
    return state


def _active(stored: Mapping[str, Any], known: Iterable[Happening]) -> str | None:
    """When a deal that a file brought was last worked on, unless that is a moment an event had given."""
    at = stored.get("last_activity_at")
    moment = _utc(at) if at is not None else None
    return None if moment in {one.at for one in known} else moment


def _written(kind: FactKind, stored: Mapping[str, Any], known: Iterable[Happening]) -> list[Happening]:
    """The changes that a stored row tells of, but for those that came with an event."""
    changes = (one for one in known if one.type in CHANGES)
    if kind is FactKind.LEAD_PAUSES:
        changes = (_not_before(stored["paused_at"], one) for one in changes)
    ours = {(CHANGES[one.type].column, one.at) for one in changes}
    found = []
    for type_, change in CHANGES.items():
        at = stored.get(change.column) if DATA[type_][0] is kind else None
        if at is None or any(stored.get(name) != value for name, value in change.implied.items() if value is not None):
            continue
        moment = _utc(at)
        if (change.column, moment) not in ours:
            found.append(Happening(type_, moment, 0, "", {name: stored.get(name) for name in change.fields}))
    return found
