"""Whether a token proves a request: pure, by keys and a moment that are given. It answers in words and never raises.

What reaches it may be anybody's, so every way of being wrong, also those nobody has thought of, is a `Doubt`.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from models.base import Frozen
from models.claims import ALGORITHM, LARGEST, START, TYPE, Claims, DecisionKeys, longest, said
from models.command import Command, Verb
from models.names import rollout_workflow_id

LEEWAY = 60
"""Seconds by which the clock of who signs may be ahead."""

_PART = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = {"typ", "alg", "kid"}


class Wanted(Frozen):
    """What the claims must say: which rollout, and which request of it; `said` is what they repeat of the request."""

    wf: str
    chain: str | None
    plan: str
    verb: str
    said: dict[str, str | None]


class Doubt(Frozen):
    """Why a token proves nothing. `unknown_key`: all else is right, but nobody knows the key yet."""

    reason: str
    unknown_key: bool = False


class _Odd(Exception):
    """What is wrong with a token. It never leaves this module."""


class _UnknownKey(_Odd):
    pass


def of_request(rollout_id: str, chain: str, plan_digest: str, verb: Verb, command: Command) -> Wanted:
    """What the token of a request must say."""
    return Wanted(
        wf=rollout_workflow_id(rollout_id), chain=chain, plan=plan_digest, verb=verb.value, said=said(command)
    )


def of_start(rollout_id: str, plan_digest: str) -> Wanted:
    """What the token of a start must say: it covers the plan, and with it who the owners are."""
    return Wanted(
        wf=rollout_workflow_id(rollout_id), chain=None, plan=plan_digest, verb=START, said={"request": plan_digest}
    )


def proven(
    token: str, keys: DecisionKeys | None, wanted: Wanted, at: datetime, *, lapsed: bool = False
) -> Claims | Doubt:
    """The claims of a token that proves what is wanted, or why it does not.

    Args:
        keys: whose signatures count; None while nobody knows.
        at: the moment at which the token must be good, real time.
        lapsed: it may have run out, because it was acted on when it was good.
    """
    try:
        return _proven(token, keys, wanted, at.timestamp(), lapsed=lapsed)
    except _UnknownKey as problem:
        return Doubt(reason=str(problem), unknown_key=True)
    except _Odd as problem:
        return Doubt(reason=str(problem))
    except Exception as problem:  # whatever a token may hold: a rollout that raised here would never move again
        return Doubt(reason=f"the token cannot be read ({type(problem).__name__})")


def _proven(token: str, keys: DecisionKeys | None, wanted: Wanted, at: float, *, lapsed: bool) -> Claims:
    if len(token.encode()) > LARGEST:
        raise _Odd(f"the token has more than {LARGEST} bytes")
    parts = token.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise _Odd("the token is no compact JWS: three parts in base64url, with dots between them")
    header, payload, _ = (_decoded(part) for part in parts)
    kid = _kid(header)
    claims = _claims(payload)
    _says(claims, wanted)
    _timely(claims, at, lapsed=lapsed)
    if keys is None:
        raise _UnknownKey("the keys of decisions are not known yet")
    if claims.aud != keys.audience:
        raise _Odd(f"the token is for {claims.aud[:100]!r}, this is {keys.audience!r}")
    key = next((one for one in keys.keys if one.kid == kid), None)
    if key is None:
        raise _UnknownKey(f"the token is signed with key {kid[:100]!r}, which is not among the keys of decisions")
    try:
        signed = jws.deserialize_compact(token, OKPKey.import_key(key.model_dump()), algorithms=[ALGORITHM])
    except Exception:  # joserfc has more ways to say no than its own errors
        raise _Odd("the signature is not that of its key") from None
    if signed.payload != payload:
        raise _Odd("the token can be read in two ways")
    return claims


def _decoded(part: str) -> bytes:
    found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != part:
        raise _Odd("the token can be read in two ways")
    return found


def _kid(text: bytes) -> str:
    """The key's id from a header that says exactly what ours do: no other algorithm, nothing critical, nothing odd."""
    header = json.loads(text, object_pairs_hook=_once)
    if not isinstance(header, dict) or header.keys() != _HEADER:
        raise _Odd("the token's header must say typ, alg and kid, and nothing else")
    if header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise _Odd(f"the token's header must say alg {ALGORITHM} and typ {TYPE}")
    kid = header["kid"]
    if not isinstance(kid, str):
        raise _Odd("the token's kid is no text")
    return kid


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd("the token says something twice")
    return found


def _claims(payload: bytes) -> Claims:
    json.loads(payload, object_pairs_hook=_once)
    try:
        return Claims.model_validate_json(payload)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise _Odd(f"the token's claims are not those of a decision: {where}: {first['msg'][:200]}") from None


def _says(claims: Claims, wanted: Wanted) -> None:
    """Every claim that has a counterpart must be the same as that."""
    expected = {
        "wf": wanted.wf,
        "verb": wanted.verb,
        "chain": wanted.chain,
        "plan": wanted.plan,
        **wanted.said,
    }
    told = {
        "wf": "another rollout",
        "chain": "an earlier or later rollout of this name",
        "plan": "another version of the plan",
        "verb": "another request",
        "gate": "another gate",
        "evidence": "other evidence",
        "request": "a request with other content",
        "jti": "a request of another id",
    }
    for name, value in expected.items():
        found = getattr(claims, name)
        if (found.value if isinstance(found, Verb) else found) != value:
            raise _Odd(f"the token was signed for {told.get(name, f'another {name}')}")


def _timely(claims: Claims, at: float, *, lapsed: bool) -> None:
    if claims.iat > at + LEEWAY:
        raise _Odd("the token is from the future")
    if claims.auth_time > claims.iat + LEEWAY:
        raise _Odd("the token is older than the signing in that it tells of")
    verb = claims.verb.value if isinstance(claims.verb, Verb) else claims.verb
    if not 0 < claims.exp - claims.iat <= longest(verb):
        raise _Odd(f"the token must be good for some time, and for {longest(verb)} seconds at most")
    if claims.exp <= at and not lapsed:
        raise _Odd("the token has expired")
