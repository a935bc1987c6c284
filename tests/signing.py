"""Keys made for a test, and requests signed with them: as they should be, and in every wrong way."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from models.claims import ALGORITHM, START, TYPE, DecisionKeys, PublicKey, said
from models.command import Command, Verb
from models.names import DEPLOYMENT, rollout_workflow_id
from models.plan import RolloutPlan
from tests.plans import ISSUER, subject_of


@dataclass(frozen=True)
class Pen:
    """A private key, and what is written with it."""

    kid: str = "key-1"
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))

    @property
    def public(self) -> PublicKey:
        found = self.key.as_dict(private=False)
        return PublicKey(kid=self.kid, x=str(found["x"]))

    def keys(self, *others: Pen) -> DecisionKeys:
        """The keys of a deployment that trusts this pen, and others."""
        return DecisionKeys(audience=DEPLOYMENT, keys=tuple(pen.public for pen in (self, *others)))

    def sign(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """A token. `header` replaces what ours say; None takes it out."""
        head = {"typ": TYPE, "alg": ALGORITHM, "kid": self.kid, **header}
        head = {name: value for name, value in head.items() if value is not None}
        body = claims if isinstance(claims, bytes) else json.dumps(claims, ensure_ascii=False).encode()
        return self.seal(json.dumps(head).encode(), body)

    def seal(self, header: bytes, body: bytes) -> str:
        """A good signature over whatever it is."""
        text = f"{_part(header)}.{_part(body)}"
        private = self.key.private_key
        assert isinstance(private, Ed25519PrivateKey)
        return f"{text}.{_part(private.sign(text.encode()))}"


def _part(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass
class Signed:
    """Signs for the people of a plan, as the service does that they sign in to."""

    plan: RolloutPlan
    chain: str = "chain"
    pen: Pen = field(default_factory=Pen)

    def claims(self, verb: Verb, command: Command, at: datetime, **changes: Any) -> dict[str, Any]:
        """What a token of this request says; the person is whoever the request names."""
        owner = self.plan.owner(command.actor)
        iat = int(at.timestamp())
        return {
            "ver": 1,
            "aud": DEPLOYMENT,
            "wf": rollout_workflow_id(self.plan.id),
            "chain": self.chain,
            "plan": self.plan.digest,
            "verb": verb.value,
            "role": owner.role if owner else "stranger",
            "iss": ISSUER,
            "sub": subject_of(command.actor),
            "name": owner.name if owner else "Somebody",
            "iat": iat,
            "exp": iat + 600,
            "auth_time": iat - 30,
            "amr": ["pwd", "otp"],
            **said(command),
            **changes,
        }

    def request(self, verb: Verb, command: Command, at: datetime, **changes: Any) -> str:
        """The token of a request."""
        return self.pen.sign(self.claims(verb, command, at, **changes))

    def start(self, at: datetime, **changes: Any) -> str:
        """The token of a start, by the first owner."""
        owner, iat = self.plan.owners[0], int(at.timestamp())
        claims = {
            "ver": 1,
            "aud": DEPLOYMENT,
            "wf": rollout_workflow_id(self.plan.id),
            "plan": self.plan.digest,
            "verb": START,
            "role": owner.role,
            "iss": ISSUER,
            "sub": subject_of(owner.identity),
            "name": owner.name,
            "rationale": "to be carried out as planned",
            "request": self.plan.digest,
            "jti": "start-0001",
            "iat": iat,
            "exp": iat + 600,
            "auth_time": iat,
        }
        return self.pen.sign(claims | changes)


def write_keys(file: Path, *pens: Pen) -> Path:
    """A file of public keys, as workers are given it."""
    file.write_text(json.dumps({"keys": [pen.public.model_dump() for pen in pens]}))
    return file
