"""Deadlines of leads, reckoned once: at assignment, by the policy and the partner's calendar known then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from models.calendar import NeverOpensError
from models.deadline import LeadTerms, due_at, terms_for
from store.calendars.book import CalendarBook
from store.pool import Connection


class Assignment(NamedTuple):
    """A lead given to a partner. `policy_version` None: the policy in force on the day decides."""

    partner_id: str
    lead_class: str | None
    assigned_at: datetime
    policy_version: str | None = None


class Deadlines(NamedTuple):
    """When a lead is due, and by which terms and calendar (None: round the clock).

    `problem` tells why nothing can be reckoned: the calendar is closed for years, or the moment is out of all bounds.
    """

    terms: LeadTerms
    calendar_id: str | None
    accept_due_at: datetime | None = None
    contact_due_at: datetime | None = None
    problem: str | None = None

    @property
    def policy_version(self) -> str:
        """What the lead keeps beside its deadlines."""
        return self.terms.policy_version


async def deadlines_at_assignment(
    conn: Connection, assignments: Sequence[Assignment], *, moment: datetime
) -> list[Deadlines | None]:
    """The deadlines of leads whose source gives none, in the order of the assignments; None where no policy applies.

    Store the result with the lead, and do not ask again: a later answer follows later policies and calendars.

    Args:
        conn: inside the transaction that stores the leads; public holidays that are needed for the first time are
            stored along.
        moment: when the leads are taken in; policies and calendars are taken as known then.
    """
    return await reckon(CalendarBook(conn, moment), assignments)


async def reckon(book: CalendarBook, assignments: Sequence[Assignment]) -> list[Deadlines | None]:
    """The same with a book at hand: for many batches of one import."""
    policies = await book.policies()
    if not policies or not assignments:
        return [None] * len(assignments)
    moments = [one.assigned_at for one in assignments]
    last = max(moments)
    while True:
        await book.read({one.partner_id for one in assignments}, min(moments), last)
        found = [_deadlines(book, policies, one) for one in assignments]
        last = max([last, *(due for one in found if one for due in (one.accept_due_at, one.contact_due_at) if due)])
        if book.covers(last):
            return found


def _deadlines(book: CalendarBook, policies: Sequence[LeadTerms], one: Assignment) -> Deadlines | None:
    terms = terms_for(policies, one.lead_class, one.assigned_at, one.policy_version)
    if terms is None:
        return None
    calendar_id, clocks = book.calendar_id(one.partner_id), book.clocks(one.partner_id)
    try:
        return Deadlines(
            terms=terms,
            calendar_id=calendar_id,
            accept_due_at=due_at(clocks.of(terms.accept_counts), one.assigned_at, terms.accept_within),
            contact_due_at=due_at(clocks.of(terms.contact_counts), one.assigned_at, terms.contact_within),
        )
    except NeverOpensError as error:
        return Deadlines(terms=terms, calendar_id=calendar_id, problem=str(error))
