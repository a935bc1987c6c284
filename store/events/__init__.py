"""Events of partner facts: read strictly, kept for ever, folded into facts in the transaction that takes them."""

from store.events.arrivals import State
from store.events.errors import EventProblem, EventsConflict, EventsRefused
from store.events.reading import TakenEvent, WaitingEvents, read_event, waiting_events
from store.events.said import Said, read_batch, read_one
from store.events.taking import look_through, settle_waiting, take
from store.events.types import BATCH, EVENTS, ONE, Event

__all__ = [
    "BATCH",
    "EVENTS",
    "ONE",
    "Event",
    "EventProblem",
    "EventsConflict",
    "EventsRefused",
    "Said",
    "State",
    "TakenEvent",
    "WaitingEvents",
    "look_through",
    "read_batch",
    "read_event",
    "read_one",
    "settle_waiting",
    "take",
    "waiting_events",
]
