"""What can be wrong with events, each told with the event, the field, what was found and what is allowed.

EventsRefused          the batch cannot be taken; nothing of it was
└── EventsConflict     it contradicts what was taken before: the same event with other content
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.base import Frozen

MOST_SHOWN = 100
"""Characters of what was found that are shown."""


class EventProblem(Frozen):
    """`event` is its place in the batch, from 0; None where the whole body is meant."""

    event: int | None
    field: str
    found: str
    allowed: str

    def __str__(self) -> str:
        place = "" if self.event is None else f"event {self.event}, "
        return f"{place}{self.field}: found {self.found}; allowed: {self.allowed}"


class EventsRefused(Exception):
    """`problems` are all that were found."""

    def __init__(self, problems: Sequence[EventProblem]) -> None:
        super().__init__("; ".join(map(str, problems[:3])))
        self.problems = tuple(problems)


class EventsConflict(EventsRefused):
    """Sending it again will not help; a correction needs a higher version."""


def in_order(problems: Iterable[EventProblem]) -> tuple[EventProblem, ...]:
    """By the event's place, what is wrong with all of the body first."""
    return tuple(sorted(problems, key=lambda one: -1 if one.event is None else one.event))


def shown(value: object) -> str:
    """What was found, short, on one line, and in letters that every log and terminal takes."""
    text = ascii(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
