"""The page of the issuer for trying things out (`console/devissuer.py`): whom do you want to be?"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import RedirectResponse, Response

from console.devissuer import FIXED, PATH, DevIssuer, Persona
from console.pages.render import page
from console.problems import Problem
from models.owner import Identity
from store.rollouts import list_rollouts

router = APIRouter(prefix=PATH, include_in_schema=False)

_IDENTITY: Final = TypeAdapter[str](Identity)


def _issuer(request: Request) -> DevIssuer:
    found: DevIssuer = request.app.state.site.dev
    return found


@router.get("/authorize")
async def choose(request: Request) -> Response:
    """Whom you want to be."""
    asked = dict(request.query_params)
    _issuer(request).check(asked)
    found = await personas(request)
    hint = asked.get("login_hint", "")
    # Whom a link names stands first, and is not chosen by it: a page elsewhere could hold such a link.
    found.sort(key=lambda one: one.identity.casefold() != hint.casefold())
    return page(request, "personas.html", None, personas=found, there=f"{PATH}/authorize?{urlencode(asked)}")


@router.post("/authorize")
async def chosen(request: Request) -> Response:
    """Back to the service, as that persona."""
    issuer, asked = _issuer(request), dict(request.query_params)
    issuer.check(asked)
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    wanted = form.get("persona", "").casefold()
    persona = next((one for one in await personas(request) if one.identity.casefold() == wanted), None)
    if persona is None and "believed" in form:
        # Owners of a rollout that no worker has recorded yet stand on no list; what anybody may do, the plans say.
        persona = _believed(form.get("persona", ""))
    if persona is None:
        raise Problem(
            HTTPStatus.FORBIDDEN, "There is no such persona: owners of open rollouts and those of the page are"
        )
    return RedirectResponse(issuer.code(asked, persona), HTTPStatus.SEE_OTHER)


def _believed(identity: str) -> Persona | None:
    """Somebody by their own word alone; None where that is nobody's identity."""
    try:
        found = _IDENTITY.validate_python(identity)
    except ValidationError:
        return None
    return Persona(found, found, "", found)


async def personas(request: Request) -> list[Persona]:
    """The owners and proposers of the rollouts, each once, and those who are always there."""
    async with request.app.state.pool.acquire() as conn:
        rollouts = await list_rollouts(conn)
    found: dict[str, Persona] = {}
    for one in rollouts:
        for owner in one.plan.owners:
            # Whom a plan knows by a subject here must come back as that.
            subject = owner.subject if owner.subject and owner.issuer == _issuer(request).issuer else owner.identity
            found.setdefault(owner.identity.casefold(), Persona(subject, owner.name, owner.role, owner.identity))
    for one in rollouts:
        proposer = one.plan.proposer
        found.setdefault(proposer.casefold(), Persona(proposer, proposer, "proposer", proposer))
    for fixed in FIXED:
        found.setdefault(fixed.subject, fixed)
    return list(found.values())
