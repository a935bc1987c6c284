"""`/v1/rollouts` and `/v1/inbox`: what pages show and do, for machines that act for a person who has signed in."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from console.asked import ASKED, START, StopAsked, read_asked
from console.deciding import decide, delegation_of, owner_of, refused_for_who, start
from console.errors import GatewayError
from console.events import ProblemBody
from console.person import Person, SignedIn
from console.problems import Problem
from console.signin import pool_of, site_of
from models.base import Frozen, Instant
from models.log import LogEntry, Outcome, Receipt
from models.plan import RolloutPlan
from models.rollout import RolloutView
from store.log import read_log
from store.rollouts import StoredRollout, list_rollouts
from workflows.hindsight import judges

AT_ONCE: Final = 16
"""Rollouts that an inbox asks side by side."""

RolloutName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$", description="The plan's id.")]


class Started(Frozen):
    """The rollout, and whether it is this request that started it; `warnings` tell of cohorts that nobody is in yet."""

    rollout: str
    digest: str
    started: bool
    warnings: tuple[str, ...] = ()


class Line(Frozen):
    """A rollout in a list, as the store knows it."""

    rollout: str
    title: str
    digest: str
    phase: str
    wave: int | None
    status: str
    since: Instant
    sentence: str


class Waiting(Frozen):
    """What waits for the person: at which rollout, for what, since when and until when (programme time)."""

    rollout: str
    title: str
    what: str
    since: Instant
    due: Instant | None
    gate: str | None
    evidence_digest: str | None
    plan_digest: str


class Role(Frozen):
    """What somebody is in a plan."""

    role: str | None


class ToJudge(Frozen):
    """A pause that is over, that nobody has judged, and that is the person's to judge: `pause` is its entry."""

    rollout: str
    title: str
    pause: int
    since: Instant


class Inbox(Frozen):
    """What waits, the earliest due first; pauses to judge, the newest first; and the rollouts that could not be asked
    now."""

    waiting: tuple[Waiting, ...]
    to_judge: tuple[ToJudge, ...]
    not_asked: tuple[str, ...]


class DecisionProblem(ProblemBody):
    """The same, with the receipt where it is the rollout that has refused."""

    receipt: Receipt | None = None


_SAID: Final = {
    HTTPStatus.BAD_REQUEST: "It is no JSON",
    HTTPStatus.UNAUTHORIZED: "Nobody is signed in, or too long ago",
    HTTPStatus.FORBIDDEN: "Not by this person, or not from there",
    HTTPStatus.NOT_FOUND: "There is no such rollout",
    HTTPStatus.REQUEST_TIMEOUT: "The body took too long",
    HTTPStatus.CONFLICT: "Refused, with the receipt of it",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON in UTF-8",
    HTTPStatus.MISDIRECTED_REQUEST: "It is meant for another host",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A field is missing or cannot be used",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many in a minute",
    HTTPStatus.SERVICE_UNAVAILABLE: "A server, or every worker, is away",
}
_READING: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

_ASKING: Final = (
    *_READING,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.TOO_MANY_REQUESTS,
)


def _problems(*statuses: HTTPStatus, body: type[ProblemBody] = ProblemBody) -> dict[int | str, dict[str, Any]]:
    schema = {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
    return {status.value: {"description": _SAID[status], "content": schema} for status in statuses}


def _leads_to(name: str, **more: str) -> dict[str, Any]:
    """Where one can go on from an answer that names a rollout, as OpenAPI says it.

    Args:
        name: where in the answer its name stands.
        more: where further fields of a decision stand.
    """
    by_name = {"parameters": {"name": f"$response.body#/{name}"}}
    decision: dict[str, Any] = {"operationId": "decide"} | by_name
    if more:
        decision["requestBody"] = {field: f"$response.body#/{place}" for field, place in more.items()}
    return {
        "links": {
            "standing": {"operationId": "read_rollout"} | by_name,
            "log": {"operationId": "read_log"} | by_name,
            "decision": decision,
        }
    }


_GATE: Final = {"gate": "gate/key", "plan_digest": "plan_digest", "evidence_digest": "gate/digest"}

router = APIRouter(prefix="/v1", tags=["rollouts"], responses=_problems(*_READING))


@router.get("/rollouts", responses={HTTPStatus.OK: _leads_to("0/rollout")})
async def rollouts(request: Request, _: SignedIn) -> tuple[Line, ...]:
    """All rollouts, the newest first."""
    async with pool_of(request).acquire() as conn:
        found = await list_rollouts(conn)
    return tuple(
        Line(
            rollout=one.key.rollout_id,
            title=one.plan.title,
            digest=one.plan_digest,
            phase=one.standing.phase,
            wave=one.standing.wave,
            status=one.standing.status,
            since=one.standing.since,
            sentence=one.standing.sentence,
        )
        for one in found
    )


@router.get(
    "/rollouts/{name}", operation_id="read_rollout", responses={HTTPStatus.OK: _leads_to("rollout_id", **_GATE)}
)
async def rollout(request: Request, name: RolloutName, _: SignedIn) -> RolloutView:
    """Where a rollout stands, by its own word."""
    return await site_of(request).gateway.status(name)


@router.get("/rollouts/{name}/role")
async def role(request: Request, name: RolloutName, person: SignedIn) -> Role:
    """The role that its plan gives the person, or none."""
    owner = owner_of((await site_of(request).gateway.chain(name)).plan, person)
    return Role(role=owner.role if owner else None)


@router.get("/rollouts/{name}/decisions", operation_id="read_log")
async def decisions(request: Request, name: RolloutName, _: SignedIn) -> tuple[LogEntry, ...]:
    """Its whole decision log: what the store has, and what the rollout has still to hand over."""
    newest = await site_of(request).gateway.decisions(name)
    async with pool_of(request).acquire() as conn:
        stored = await read_log(conn, name)
    known = {one.sequence: one for one in (*stored, *newest)}
    return tuple(known[sequence] for sequence in sorted(known))


@router.get("/inbox", responses={HTTPStatus.OK: _leads_to("waiting/0/rollout")})
async def inbox(request: Request, person: SignedIn) -> Inbox:
    """What waits for the person, asked of the rollouts themselves."""
    site = site_of(request)
    async with pool_of(request).acquire() as conn:
        found = await list_rollouts(conn)
    mine = [one.key.rollout_id for one in found if one.standing.open and _may_wait_for(one, person)]
    plans = {one.key.rollout_id: one.plan for one in found if one.standing.open}
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str) -> RolloutView | None:
        async with at_once:
            try:
                return await site.gateway.status(name)
            except GatewayError:
                return None

    views = await asyncio.gather(*map(ask, mine))
    waiting = [
        one
        for view, name in zip(views, mine, strict=True)
        if view is not None
        for one in _waiting(view, _identity(view, plans[name], person))
    ]
    waiting.sort(key=lambda one: (one.due is None, one.due or one.since))
    pauses = [one for view in views if view is not None for one in _to_judge(view, plans[view.rollout_id], person)]
    pauses.sort(key=lambda one: one.since, reverse=True)
    missing = tuple(name for view, name in zip(views, mine, strict=True) if view is None)
    return Inbox(waiting=tuple(waiting), to_judge=tuple(pauses), not_asked=missing)


def _may_wait_for(one: StoredRollout, person: Person) -> bool:
    """Whether it names the person: as an owner, as somebody who acts for one, or as somebody it waits for."""
    waits = {who.casefold() for awaited in one.standing.awaited for who in awaited.who}
    stands_in = delegation_of(one.standing.delegations, person)
    return owner_of(one.plan, person) is not None or stands_in is not None or person.identity.casefold() in waits


def _identity(view: RolloutView, plan: RolloutPlan, person: Person) -> str:
    known = owner_of(plan, person) or delegation_of(view.delegations, person)
    return known.identity if known else ""


def _to_judge(view: RolloutView, plan: RolloutPlan, person: Person) -> list[ToJudge]:
    given = delegation_of(view.delegations, person)
    owner = owner_of(plan, person) or (plan.owner(given.owner) if given else None)
    return [
        ToJudge(rollout=view.rollout_id, title=view.title, pause=one.sequence, since=one.since)
        for one in view.unjudged
        if owner in judges(plan, one.roles, guardrail=one.guardrail)
    ]


def _waiting(view: RolloutView, identity: str) -> list[Waiting]:
    return [
        Waiting(
            rollout=view.rollout_id,
            title=view.title,
            what=one.what,
            since=one.since,
            due=one.due,
            gate=view.gate.key if view.gate else None,
            evidence_digest=view.gate.digest if view.gate else None,
            plan_digest=view.plan_digest,
        )
        for one in view.awaited
        if identity in one.who
    ]


@router.post(
    "/rollouts/{name}/decisions",
    operation_id="decide",
    responses=_problems(*_ASKING) | _problems(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, body=DecisionProblem),
    # Its body is read by hand, and described in console/app.py.
    status_code=HTTPStatus.OK,
)
async def send(request: Request, name: RolloutName, person: SignedIn, response: Response) -> Receipt:
    """Decide at a gate, pause, resume, or whatever else a person may ask; 202 where the outcome is not known yet.

    A request of somebody who may not is sent all the same: that they tried belongs in the rollout's log.
    """
    asked = await read_asked(request, ASKED)
    fields = asked.model_dump(exclude={"verb", "reason", "request_id"}, exclude_none=True)
    if isinstance(asked, StopAsked):
        fields["resolution"] = asked.resolution
    receipt = await decide(
        request.app.state, person, name, asked.verb, asked.reason, request_id=asked.request_id, **fields
    )
    if receipt.outcome is Outcome.REFUSED and asked.request_id:
        receipt = await _first(request, person, name, receipt)
    if receipt.outcome is Outcome.REFUSED:
        who = await refused_for_who(site_of(request), person, name, asked.verb)
        status = HTTPStatus.FORBIDDEN if who else HTTPStatus.CONFLICT
        raise Problem(status, receipt.message, more={"receipt": receipt.model_dump(mode="json")})
    if receipt.outcome is Outcome.PENDING:
        response.status_code = HTTPStatus.ACCEPTED
    return receipt


async def _first(request: Request, person: Person, name: str, receipt: Receipt) -> Receipt:
    """What came of this person's request when it was sent first, if this is a repetition of it."""
    for entry in await decisions(request, name, person):
        same = (entry.request_id, entry.actor) == (receipt.request_id, person.identity)
        if same and entry.sequence != receipt.sequence and entry.outcome is not None:
            return Receipt(
                request_id=entry.request_id, outcome=entry.outcome, message=entry.message, sequence=entry.sequence
            )
    return receipt


@router.post(
    "/rollouts",
    responses=_problems(*_ASKING) | {status: _leads_to("rollout") for status in (HTTPStatus.OK, HTTPStatus.CREATED)},
    status_code=HTTPStatus.CREATED,
    response_model_exclude_defaults=True,
)
async def begin(request: Request, person: SignedIn, response: Response) -> Started:
    """Start a plan's rollout; the same plan twice is started once (200 then)."""
    asked = await read_asked(request, START)
    fresh, empty = await start(request.app.state, person, asked.plan, asked.clock_start, asked.clock_speed)
    if not fresh:
        response.status_code = HTTPStatus.OK
    warnings = tuple(map(str, empty)) if fresh else ()
    return Started(rollout=asked.plan.id, digest=asked.plan.digest, started=fresh, warnings=warnings)
