"""What may be asked over the API: bodies, read in the strictest sense of JSON and told about field by field."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from fastapi import Request
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from console.bodies import media_type, parse, read_body
from console.problems import Problem
from models.base import Frozen, Instant
from models.clock import FASTEST, FIRST, LAST
from models.command import Actor, Choice, Counted, Name, PauseVerdict, Reason, RequestId, Verb
from models.metric import MetricName
from models.plan import RolloutPlan, StopResolution
from store.events import EventProblem
from store.events.errors import shown

T = TypeVar("T")

JSON: Final = "application/json"
BODY_BYTES: Final = 512 * 1024
"""A plan of thousands of named partners has a quarter of that."""


class _Asked(Frozen):
    """What every decision says. The same `request_id` twice is one request, and has one outcome."""

    reason: Reason
    request_id: RequestId | None = None


class DecideAsked(_Asked):
    """At a gate, on the evidence the person has read."""

    verb: Literal[Verb.DECIDE]
    gate: Name
    choice: Choice
    plan_digest: Name
    evidence_digest: Name
    declared_conflict: Annotated[str, Field(max_length=1000)] | None = None


class PlainAsked(_Asked):
    """What needs nothing but a reason."""

    verb: Literal[Verb.PAUSE, Verb.RESUME, Verb.REVIEW, Verb.ACKNOWLEDGE]


class ConfirmAsked(_Asked):
    """That the person owns the role which the plan gives them."""

    verb: Literal[Verb.CONFIRM_OWNERSHIP]
    role: Name


class OverrideAsked(_Asked):
    """To let a breached metric be, until a programme time."""

    verb: Literal[Verb.OVERRIDE]
    metric: MetricName
    until: AwareDatetime


class StopAsked(_Asked):
    """To end the rollout, and what becomes of its cohorts."""

    verb: Literal[Verb.STOP]
    resolution: StopResolution


class DelegateAsked(_Asked):
    """To let somebody act in the person's place until a programme time; without `until` it is taken back."""

    verb: Literal[Verb.DELEGATE]
    identity: Actor
    name: Name
    issuer: Annotated[str, Field(max_length=300)] | None = None
    subject: Annotated[str, Field(max_length=255)] | None = None
    until: AwareDatetime | None = None


class JudgePauseAsked(_Asked):
    """To say of a pause whether it was right or a false alarm; `pause` is the number of its entry in the log."""

    verb: Literal[Verb.JUDGE_PAUSE]
    pause: Counted
    verdict: PauseVerdict


Asked: TypeAlias = DecideAsked | PlainAsked | ConfirmAsked | OverrideAsked | StopAsked | DelegateAsked | JudgePauseAsked

ASKED: TypeAdapter[Asked] = TypeAdapter(Annotated[Asked, Field(discriminator="verb")])


class StartAsked(Frozen):
    """A plan to start, and the clock it runs by: now and as fast as life, unless said otherwise."""

    plan: RolloutPlan
    clock_start: Annotated[Instant, Field(ge=FIRST, le=LAST)] | None = None
    clock_speed: Annotated[float, Field(ge=0.001, le=FASTEST)] = 1.0


START: TypeAdapter[StartAsked] = TypeAdapter(StartAsked)


async def read_asked(request: Request, reader: TypeAdapter[T]) -> T:
    """The body of a request.

    Raises:
        Problem: it is too large, no JSON, or says what it must not; then with every field.
    """
    media_type(request, (JSON,))
    body = await read_body(request, BODY_BYTES)
    parse(body)
    try:
        return reader.validate_json(body)
    except ValidationError as problem:
        errors = [_told(one) for one in problem.errors(include_url=False)]
    told = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{told}; nothing was asked of any rollout", errors)


def _told(error: Any) -> EventProblem:
    field = ".".join(map(str, error["loc"])) or "body"
    found = "nothing" if error["type"] == "missing" else shown(error["input"])
    allowed = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return EventProblem(event=None, field=field, found=found, allowed=allowed)
