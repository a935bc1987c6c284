"""Events of partner facts: read strictly, kept for ever, folded into facts in the transaction that takes them."""

from store.events.arrivals import State
from store.events.errors import EventProblem, EventsConflict, EventsRefused
from store.events.reading import TakenEvent, WaitingEvents, read_event, waiting_events
from store.events.taking import settle_waiting, take
from store.events.types import BATCH, EVENTS, ONE, Event

__all__ = [
    "BATCH",
    "EVENTS",
    "ONE",
    "Event",
    "EventProblem",
    "EventsConflict",
    "EventsRefused",
    "State",
    "TakenEvent",
    "WaitingEvents",
    "read_event",
    "settle_waiting",
    "take",
    "waiting_events",
]
