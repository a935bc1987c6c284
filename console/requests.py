"""A request before it is sent, and what is made of the answer: a receipt, or one sentence on why there is none."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from temporalio.service import RPCError, RPCStatusCode

from console.errors import GatewayError, Kind
from models.command import COMMANDS, Command, Verb
from models.log import LogEntry, Outcome, Receipt

_NO_WORKER = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION)
"""What the server answers to a question that no worker takes: at once, or when the time is over."""


def checked(verb: Verb, request: dict[str, Any]) -> Command:
    """A request of that verb.

    Raises:
        GatewayError: a field is missing or cannot be used.
    """
    try:
        return COMMANDS[verb].model_validate(request)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}" for one in error.errors())
        raise GatewayError(f"The request does not hold: {told}.", Kind.BAD_INPUT) from error


def receipt_of(entry: LogEntry) -> Receipt:
    return Receipt(
        request_id=entry.request_id,
        outcome=entry.outcome or Outcome.APPLIED,
        message=entry.message,
        sequence=entry.sequence,
    )


def pending(command: Command, message: str) -> Receipt:
    return Receipt(request_id=command.request_id, outcome=Outcome.PENDING, message=message, sequence=0)


def told_of(name: str, problem: RPCError) -> GatewayError:
    if problem.status is RPCStatusCode.NOT_FOUND:
        return GatewayError(
            f"Temporal knows no rollout {name}: it was never started, or ended longer ago than histories are kept; "
            f"`rollouts list` shows all, `rollouts decisions {name}` its log.",
            Kind.UNKNOWN,
        )
    if problem.status in _NO_WORKER:
        return GatewayError(
            f"No worker answers for {name}; `rollouts doctor` looks why, `rollouts list` shows where it last stood.",
            Kind.UNAVAILABLE,
        )
    return GatewayError(f"Temporal refused: {problem.message}", Kind.UNAVAILABLE)
