"""What a signed request says: the claims of its token, and the public keys that prove it.

A token is a compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864), signed by the service that has seen who the
person is. It travels in the request it proves, and covers all of it: whoever changes a word needs another signature.
"""

from __future__ import annotations

from typing import Any, Literal

from models.base import Frozen, digest_json
from models.command import Command, Verb

TYPE = "decision+jws"
ALGORITHM = "Ed25519"

LARGEST = 8192
"""Bytes of a token at most."""

START = "start"
"""The verb of the token that a rollout is started with: it proves the plan, and with it who its owners are."""

PROPOSER = "proposer"
"""The role of whoever starts a rollout as the one who proposes it; an owner starts it with the role they hold."""

BREAK_GLASS = "break-glass"
"""The role of somebody the plan need not name: it can pause and stop, and never advance."""


class Claims(Frozen):
    """The payload of a token. `iat`, `exp` and `auth_time` are seconds since 1970 of real time, as in RFC 7519.

    `chain` is the first run of the rollout's chain, so that a token is worth nothing for a later rollout of the same
    name; the token of a start has none. `request` is `request_digest` of the request that the token travels in. What
    stands here beside it is what people and auditors read, and must say the same. `jti` is the request's id.
    """

    ver: Literal[1] = 1
    aud: str
    wf: str
    chain: str | None = None
    plan: str
    verb: Verb | Literal["start"]
    gate: str | None = None
    role: str
    iss: str
    sub: str
    name: str
    decision: str | None = None
    rationale: str
    evidence: str | None = None
    request: str
    jti: str
    iat: int
    exp: int
    auth_time: int
    amr: tuple[str, ...] = ()


class PublicKey(Frozen):
    """A public Ed25519 key as a JSON Web Key (RFC 8037): `x` is its 32 bytes in base64url."""

    kid: str
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: str


class DecisionKeys(Frozen):
    """Whose signatures count, and for which deployment: `audience` is the `aud` of its tokens."""

    audience: str
    keys: tuple[PublicKey, ...]


ADVANCING = 600
PROTECTING = 86_400
"""Seconds from `iat` to `exp` at most: of what may let something pass, and of a pause or a stop."""


def longest(verb: str) -> int:
    """How many seconds a token of this verb may be good for."""
    return PROTECTING if verb in (Verb.PAUSE.value, Verb.STOP.value) else ADVANCING


def said(command: Command) -> dict[str, str | None]:
    """The claims that repeat in plain sight what a request says; they and the request must be the same."""
    choice = getattr(command, "choice", None)
    return {
        "gate": getattr(command, "gate", None),
        "decision": choice.value if choice is not None else None,
        "rationale": command.reason,
        "evidence": getattr(command, "evidence_digest", None),
        "request": request_digest(command),
        "jti": command.request_id,
    }


def request_digest(command: Command) -> str:
    """The digest a token has of its request: what it says, without the token and without what it leaves open."""
    said: dict[str, Any] = command.model_dump(mode="json", exclude={"token"}, exclude_defaults=True)
    return digest_json(said)
