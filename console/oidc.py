"""The issuer who says who somebody is: OpenID Connect's code flow with PKCE, nothing taken on trust on the way back.

What comes back is believed when the issuer's name, the audience, the algorithm, the signature, the times, the nonce and
how long ago the person signed in all are what they must be. Everything else is `Unproven`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError

from console.settings import is_loopback_name
from models.base import Wire

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "Ed25519")
"""Of an issuer's signature: all of them with a public key, so that nobody who verifies could sign."""

LEEWAY: Final = 60
"""Seconds by which the issuer's clock may be off."""

SCOPE: Final = "openid email profile"
KNOWN_SECONDS: Final = 3600.0
"""How long what the issuer says of itself is believed before it is asked again."""

TIMEOUT: Final = 10.0
MOST_AGE: Final = 10
"""Seconds beside `max_age` until which the way through the browser may take."""


class Unproven(Exception):
    """Nobody is signed in; one sentence says why."""


class IssuerAway(Exception):
    """The issuer cannot be asked now, or answers what it must not."""


class Vouched(Wire):
    """What the issuer says of a person; `email` only where it says that it has verified it."""

    issuer: str
    subject: str
    email: str | None
    name: str | None
    auth_time: int
    amr: tuple[str, ...]


class Provider:
    """One issuer, as one client of it. It is asked for its addresses and keys when they are needed first."""

    def __init__(self, issuer: str, client_id: str, client_secret: str | None, redirect_uri: str) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._secret = client_secret
        self._redirect_uri = redirect_uri
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._known_at = float("-inf")
        self._asking = asyncio.Lock()

    async def address(self, *, state: str, nonce: str, verifier: str, max_age: int, again: bool, hint: str = "") -> str:
        """Where a browser goes to sign in; `again`: also where it has signed in before."""
        metadata = await self._discovered()
        more: dict[str, Any] = {"nonce": nonce, "max_age": max_age}
        if again:
            more["prompt"] = "login"
        if hint:
            more["login_hint"] = hint
        async with self._client(metadata) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, code_verifier=verifier, **more
            )
        return str(url)

    async def vouched(self, answer: Mapping[str, str], *, nonce: str, verifier: str, max_age: int) -> Vouched:
        """Whom the issuer vouches for, from what the browser brought back.

        Raises:
            Unproven: nobody, or not as it must be.
            IssuerAway: it cannot be asked.
        """
        metadata = await self._discovered()
        self._check_sender(answer, metadata)
        if "error" in answer:
            raise Unproven(f"The issuer did not sign you in: {_short(answer['error'])}")
        if not answer.get("code"):
            raise Unproven("The issuer's answer has no code")
        token = await self._exchange(metadata, answer["code"], verifier)
        claims = await self._claims(metadata, token, nonce, max_age)
        if "email" not in claims and metadata.get("userinfo_endpoint") and token.get("access_token"):
            claims = {**await self._userinfo(metadata, str(token["access_token"]), claims["sub"]), **claims}
        return _vouched(self.issuer, claims)

    def _check_sender(self, answer: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """RFC 9207: an answer of another issuer must not be taken to this one."""
        said = answer.get("iss")
        if said is None and metadata.get("authorization_response_iss_parameter_supported") is True:
            raise Unproven("The answer does not say which issuer it is from, and this issuer always does")
        if said is not None and said != self.issuer:
            raise Unproven(f"The answer is from another issuer: {_short(said)}")

    async def _discovered(self) -> dict[str, Any]:
        async with self._asking:
            if time.monotonic() - self._known_at < KNOWN_SECONDS:
                return self._metadata
            found = await self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise IssuerAway(
                    f"It calls itself {_short(found.get('issuer'))}; ROLLOUTS_OIDC_ISSUER must say the same"
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _check_endpoint(name, found.get(name))
            if "S256" not in found.get("code_challenge_methods_supported", ["S256"]):
                raise IssuerAway("It does not take PKCE with S256")
            self._keys = await self._fetch_keys(found)
            self._metadata, self._known_at = found, time.monotonic()
            return found

    async def _fetch_keys(self, metadata: Mapping[str, Any]) -> KeySet:
        try:
            return KeySet.import_key_set(await self._get(metadata["jwks_uri"]))  # type: ignore[arg-type]  # checked there
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as problem:
            raise IssuerAway(f"Its keys cannot be read ({type(problem).__name__})") from problem

    async def _exchange(self, metadata: Mapping[str, Any], code: str, verifier: str) -> dict[str, Any]:
        try:
            async with self._client(metadata) as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    redirect_uri=self._redirect_uri,
                )
        except AuthlibBaseError as problem:
            raise Unproven(f"The issuer does not take the code: {_short(problem)}") from problem
        except (httpx2.HTTPError, ValueError) as problem:
            raise IssuerAway(f"Its token endpoint cannot be used ({type(problem).__name__})") from problem
        return dict(token)

    async def _claims(self, metadata: Mapping[str, Any], token: Mapping[str, Any], nonce: str, max_age: int) -> Any:
        text = token.get("id_token")
        if not isinstance(text, str):
            raise Unproven("The issuer's answer has no ID token")
        found = await self._verified(metadata, text)
        claims = CodeIDToken(
            found.claims,
            found.header,
            options={"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True}},
            params={"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")},
        )
        try:
            claims.validate(leeway=LEEWAY)
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as problem:
            raise Unproven(f"The ID token does not hold: {_short(problem)}") from problem
        self._check_audience(found.claims.get("aud"))
        _check_age(found.claims, max_age)
        return found.claims

    def _check_audience(self, audience: object) -> None:
        """Exactly us: whoever shares a token with us could use it here."""
        if audience != self._client_id and audience != [self._client_id]:
            raise Unproven("The ID token does not hold: it is not for this service, or not for it alone")

    async def _verified(self, metadata: Mapping[str, Any], text: str) -> jwt.Token:
        """Its signature is the issuer's; keys are fetched once more, for the issuer may have changed them."""
        if self._keys is not None:
            with contextlib.suppress(Exception):  # the library has more ways to say no than its own errors
                return jwt.decode(text, self._keys, algorithms=list(ALGORITHMS))
        self._keys = await self._fetch_keys(metadata)
        try:
            return jwt.decode(text, self._keys, algorithms=list(ALGORITHMS))
        except Exception as problem:
            raise Unproven(f"The ID token is not signed as it must be: {_short(problem)}") from problem

    async def _userinfo(self, metadata: Mapping[str, Any], access_token: str, subject: str) -> dict[str, Any]:
        _check_endpoint("userinfo_endpoint", metadata["userinfo_endpoint"])
        found = await self._get(metadata["userinfo_endpoint"], {"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise Unproven("The issuer's user info is about somebody else")
        return {name: found[name] for name in ("email", "email_verified", "name") if name in found}

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT, trust_env=_trust_env(url)) as client:
                answer = await client.get(url, headers=dict(headers or {}))
                answer.raise_for_status()
                found = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as problem:
            raise IssuerAway(f"{url} cannot be read ({type(problem).__name__})") from problem
        if not isinstance(found, dict):
            raise IssuerAway(f"{url} is no JSON object")
        return found

    def _client(self, metadata: Mapping[str, Any]) -> Any:
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return AsyncOAuth2Client(
            client_id=self._client_id,
            client_secret=self._secret,
            token_endpoint_auth_method=method if self._secret else "none",
            redirect_uri=self._redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
            timeout=TIMEOUT,
            trust_env=_trust_env(self.issuer),
        )


def _trust_env(url: str) -> bool:
    """A proxy of the environment leads to others, never to ourselves."""
    return not is_loopback_name(urlsplit(url).hostname)


def _check_endpoint(name: str, url: object) -> None:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(parts.hostname))):
        raise IssuerAway(f"Its {name} is {_short(url)}; it must begin with https://")


def _check_age(claims: Mapping[str, Any], max_age: int) -> None:
    """`max_age` is always asked for, so that the issuer must say when the person signed in."""
    found, now = claims.get("auth_time"), time.time()
    if not isinstance(found, int) or isinstance(found, bool):
        raise Unproven("The ID token does not say when you signed in (auth_time)")
    if found > now + LEEWAY:
        raise Unproven("The ID token says that you signed in in the future")
    if found + max_age + LEEWAY + MOST_AGE < now:
        raise Unproven(f"The issuer was asked to sign you in anew after {max_age} s, and did not")


def _vouched(issuer: str, claims: Mapping[str, Any]) -> Vouched:
    amr = claims.get("amr") or ()
    try:
        return Vouched(
            issuer=issuer,
            subject=claims["sub"],
            email=claims.get("email") if claims.get("email_verified") is True else None,
            name=claims.get("name"),
            auth_time=claims["auth_time"],
            amr=tuple(str(one)[:40] for one in amr)[:8],
        )
    except (ValidationError, KeyError) as problem:
        raise Unproven("The ID token does not hold: a claim in it is not of its kind") from problem


def _short(what: object) -> str:
    return " ".join(str(what).split())[:200]
