"""The plan as it was signed off, in words; its digest is what decisions are bound to."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.asking import look_at
from console.pages.render import page
from console.pages.rollout import unknown
from console.person import SignedIn
from models.plan import GateName

router = APIRouter(include_in_schema=False)


@router.get("/rollouts/{name}/plan")
async def plan(request: Request, person: SignedIn, name: str) -> Response:
    """The plan of one rollout."""
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    rules = [(gate.value, look.plan.approvals.rule(gate)) for gate in GateName]
    return page(
        request,
        "plan.html",
        person,
        look=look,
        plan=look.plan,
        rules=[(key, rule) for key, rule in rules if rule is not None],
    )
