"""What keeps a rollout from being asked or told something: one sentence, and of which kind it is.

`GatewayError` has a kind. The terminal makes an exit code of it, the service a status.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Whose turn it is: the sender's (`bad input`), nobody's (`refused`), that of whoever runs the servers."""

    BAD_INPUT = "bad input"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class GatewayError(Exception):
    """It could not be asked or told; the message is one sentence that says what to do."""

    def __init__(self, message: str, kind: Kind = Kind.FAILED) -> None:
        super().__init__(message)
        self.kind = kind
