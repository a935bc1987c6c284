"""`/v1/events`: takes CloudEvents of partner facts, one or a batch, whole or not at all; and shows what was taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from operator import itemgetter
from typing import Any, Final

import asyncpg
from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from console.bodies import media_type, parse, read_body, read_events
from console.keys import Sender
from console.problems import MEDIA_TYPE, Problem, refused
from console.settings import ConsoleSettings
from models.base import Frozen
from store.events import (
    EventProblem,
    EventsRefused,
    Said,
    State,
    TakenEvent,
    look_through,
    read_batch,
    read_event,
    read_one,
    take,
)
from store.events.errors import in_order, shown
from store.events.keys import Holder
from store.events.terms import Source, Text

ONE_EVENT: Final = "application/cloudevents+json"
A_BATCH: Final = "application/cloudevents-batch+json"


class Outcome(Frozen):
    """What became of one event, by its place in the batch."""

    index: int
    id: str
    version: int
    state: State


class Taken(Frozen):
    """The answer to a batch that was taken. `taken` counts the events that were not known before."""

    taken: int
    events: tuple[Outcome, ...]


class ErrorOfEvent(Frozen):
    """One thing that is wrong: in which event, in which field, what was found and what is allowed."""

    event: int | None
    field: str
    found: str
    allowed: str


class ProblemBody(Frozen):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[ErrorOfEvent, ...] = ()
    errors_found: int = 0


def _problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {one.value: {"description": one.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for one in statuses}


_ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

# An enumeration's own look-up takes several times as long, and a batch asks a thousand times.
_NAMED: Final = itemgetter("id", "version")
_STATES: Final = {state: state.value for state in State}

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.post(
    "",
    response_model=Taken,
    responses=_problems(
        *_ALWAYS,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ),
)
async def post_events(request: Request, sender: Sender) -> Response:
    """Take one event or a batch of them.

    A batch is taken whole or not at all. The same event again changes nothing; events may come in any order.
    """
    settings: ConsoleSettings = request.app.state.settings
    pool: asyncpg.Pool[asyncpg.Record] = request.app.state.pool
    media = media_type(request, (ONE_EVENT, A_BATCH))
    body = await read_body(request, settings.console_body_bytes)
    try:
        try:
            events = _read(body, media, settings.console_batch_events)
        except EventsRefused as found:
            raise EventsRefused(await _all_wrong(pool, sender, body, found.problems)) from found
        _refuse_other_sources(events, sender)
        states = await take(pool, sender.source_system, events, sender.name)
    except EventsRefused as found:
        raise refused(found) from found
    return _answer(events, states)


def _read(body: bytes, media: str, most: int) -> tuple[Said, ...]:
    parsed = parse(body)
    if media == ONE_EVENT:
        return (read_events(body, read_one),)
    if isinstance(parsed, list) and len(parsed) > most:
        told = f"The batch holds {len(parsed)} events; allowed: {most}"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)
    return read_events(body, read_batch)


async def _all_wrong(
    pool: asyncpg.Pool[asyncpg.Record], sender: Holder, body: bytes, found: Sequence[EventProblem]
) -> Sequence[EventProblem]:
    """What is wrong with the events of a batch that can be read, beside what is wrong with those that cannot."""
    parsed, bad = parse(body), {one.event for one in found}
    if not isinstance(parsed, list):
        return found
    places = [
        place
        for place, one in enumerate(parsed)
        if place not in bad and isinstance(one, dict) and one.get("source") == sender.source_system
    ]
    try:
        readable = read_batch(json.dumps([parsed[place] for place in places]))
    except ValueError:
        # What a single reader says of it was told; a batch may not be empty, either.
        return found
    more = await look_through(pool, sender.source_system, readable)
    return in_order((*found, *(one.model_copy(update={"event": places[one.event or 0]}) for one in more)))


def _refuse_other_sources(events: tuple[Said, ...], sender: Holder) -> None:
    if set(map(itemgetter("source"), events)) == {sender.source_system}:
        return
    others = [
        EventProblem(event=index, field="source", found=shown(event["source"]), allowed=shown(sender.source_system))
        for index, event in enumerate(events)
        if event["source"] != sender.source_system
    ]
    if others:
        told = f"The key is for {sender.source_system} alone; no event of this batch was taken"
        raise Problem(HTTPStatus.FORBIDDEN, told, others)


def _answer(events: tuple[Said, ...], states: list[State]) -> Response:
    told = [
        {"index": index, "id": id_, "version": version, "state": _STATES[state]}
        for index, ((id_, version), state) in enumerate(zip(map(_NAMED, events), states, strict=True))
    ]
    body = {"taken": len(states) - states.count(State.DUPLICATE), "events": told}
    return Response(to_json(body), media_type="application/json")


@router.get("/{source}/{event_id:path}", responses=_problems(*_ALWAYS, HTTPStatus.NOT_FOUND))
async def get_event(source: Source, event_id: Text, request: Request, sender: Sender) -> TakenEvent:
    """What was taken of an event, every version of it, and what it waits for, if it does."""
    if source != sender.source_system:
        raise Problem(HTTPStatus.FORBIDDEN, f"The key is for {sender.source_system} alone")
    async with request.app.state.pool.acquire() as conn:
        found = await read_event(conn, source, event_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"No event {shown(event_id)} of {source} was taken")
    return found
