"""An issuer for trying things out: it asks who you want to be and believes it, on loopback only.

It is a whole OpenID Connect provider, so that signing in goes the same way as with a real one: discovery, code flow
with PKCE, a signed ID token. Nothing is proven by it, and every record names it as the issuer. Its page stands in
`console/pages/personas.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.responses import JSONResponse, Response

from console.people import Permission
from console.problems import Problem

PATH: Final = "/dev-issuer"
CODE_SECONDS: Final = 60
MOST_CODES: Final = 1000

ON_CALL: Final = "on-call@example.com"
PROGRAMME: Final = "programme@example.com"
DEPUTY: Final = "deputy@example.com"

_ASKED: Final = (
    "response_type",
    "client_id",
    "redirect_uri",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "state",
)


@dataclass(frozen=True)
class Persona:
    """Somebody to be, by the identity that plans know them by."""

    subject: str
    name: str
    role: str
    identity: str


FIXED: Final = (
    Persona(ON_CALL, "On-call", "may pause and stop, owns nothing", ON_CALL),
    Persona(PROGRAMME, "Programme office", "may start rollouts, owns nothing", PROGRAMME),
    Persona(DEPUTY, "Dee Deputy", "owns nothing, an owner may let them act", DEPUTY),
)


@dataclass(frozen=True)
class _Code:
    persona: Persona
    challenge: str
    nonce: str
    at: float


class DevIssuer:
    """Its key and secret live as long as the process: what it said before a restart, it does not vouch for after."""

    client_id = "rollouts"

    def __init__(self, url: str, redirect_uri: str) -> None:
        self.issuer = url + PATH
        self.client_secret = secrets.token_urlsafe(32)
        self._redirect_uri = redirect_uri
        self._key = ECKey.generate_key("P-256", auto_kid=True)
        self._codes: dict[str, _Code] = {}

    def may(self, subject: str, what: Permission) -> bool:
        """Anybody but the on-call starts rollouts, and only the on-call breaks the glass."""
        return (subject == ON_CALL) is (what is Permission.BREAK_GLASS)

    def metadata(self) -> dict[str, Any]:
        """What discovery answers."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """What verifies its ID tokens."""
        return {"keys": [self._key.as_dict(private=False)]}

    def check(self, asked: dict[str, str]) -> None:
        """Whether it is our own service that asks, and as it must.

        Raises:
            Problem: it is not. Nobody is sent anywhere by a request like that.
        """
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") != self._redirect_uri:
            raise Problem(HTTPStatus.BAD_REQUEST, "The issuer for trying things out serves its own service alone")
        missing = [name for name in _ASKED if not asked.get(name)]
        if missing or asked["response_type"] != "code" or asked["code_challenge_method"] != "S256":
            raise Problem(HTTPStatus.BAD_REQUEST, "Code flow with PKCE (S256), a state and a nonce is all there is")

    def code(self, asked: dict[str, str], persona: Persona) -> str:
        """Where the browser goes back to, as that persona."""
        now = time.monotonic()
        self._codes = {code: one for code, one in self._codes.items() if now - one.at < CODE_SECONDS}
        while len(self._codes) >= MOST_CODES:
            self._codes.pop(next(iter(self._codes)))
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(persona, asked["code_challenge"], asked["nonce"], now)
        return f"{self._redirect_uri}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """What a code is exchanged for.

        Raises:
            Refused: the client, the code or the verifier is not the right one.
        """
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if not hmac.compare_digest(authorization.encode(), f"Basic {expected}".encode()):
            raise Refused("invalid_client")
        found = self._codes.pop(form.get("code", ""), None)
        if found is None or time.monotonic() - found.at > CODE_SECONDS:
            raise Refused("invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=")
        if not hmac.compare_digest(challenge, found.challenge.encode()):
            raise Refused("invalid_grant")
        if form.get("redirect_uri") != self._redirect_uri or form.get("grant_type") != "authorization_code":
            raise Refused("invalid_grant")
        return {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": CODE_SECONDS,
            "id_token": self._id_token(found),
        }

    def _id_token(self, found: _Code) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": found.persona.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + CODE_SECONDS,
            "auth_time": now,
            "nonce": found.nonce,
            "amr": ["dev"],
            "name": found.persona.name,
            "email": found.persona.identity,
            "email_verified": True,
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key, algorithms=["ES256"])


class Refused(Exception):
    """OAuth's word for why a code is not exchanged."""


router = APIRouter(prefix=PATH, include_in_schema=False)


def _issuer(request: Request) -> DevIssuer:
    found: DevIssuer = request.app.state.site.dev
    return found


@router.get("/.well-known/openid-configuration")
async def discovery(request: Request) -> Response:
    return JSONResponse(_issuer(request).metadata())


@router.get("/keys")
async def keys(request: Request) -> Response:
    return JSONResponse(_issuer(request).keys())


@router.post("/token")
async def token(request: Request) -> Response:
    """A code for an ID token; OAuth has its own form of errors."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    try:
        return JSONResponse(_issuer(request).token(form, request.headers.get("authorization", "")))
    except Refused as problem:
        return JSONResponse({"error": str(problem)}, HTTPStatus.BAD_REQUEST)
