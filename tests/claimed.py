"""Requests in a name that nothing proves, as only tests send them: the service signs what people ask."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from console.requests import checked
from models.command import Command, Verb


def claimed(verb: Verb, actor: str, reason: str, /, **fields: Any) -> Command:
    """A new request.

    Raises:
        GatewayError: a field is missing or cannot be used.
    """
    return checked(verb, {"request_id": str(uuid4()), "actor": actor, "reason": reason, **fields})
