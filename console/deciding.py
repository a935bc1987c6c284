"""A person's decision on its way to the rollout: the one function that pages and API decide through."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from starlette.datastructures import State

from console.gateway import Gateway, checked
from console.person import Person
from models.command import Verb
from models.log import Receipt


async def decide(
    state: State, person: Person, name: str, verb: Verb, reason: str, *, request_id: str | None = None, **fields: Any
) -> Receipt:
    """Ask a rollout for what a signed-in person wants; the receipt is read back from the workflow.

    Args:
        state: the app's, with its `gateway`.
        request_id: the same one twice is one request; none: a new one.
        fields: those of the verb's command beside who and why (`models/command.py`).

    Raises:
        GatewayError: the request is malformed, the rollout is over or unknown, or nobody answers.
    """
    gateway: Gateway = state.gateway
    request = {"request_id": request_id or str(uuid4()), "actor": person.identity, "reason": reason, **fields}
    return await gateway.deliver(name, verb, checked(verb, request))
