"""Webhooks: notices posted to addresses that an operator names, signed as Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from enum import StrEnum

from pydantic import SecretStr

from activities.channels import Undeliverable
from activities.envelope import cloudevent, kind_of, slack_message
from activities.letters import Letter
from activities.outward import Destination, Outward
from models.base import Frozen

PREFIX = "whsec_"

SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes of a secret, as the specification has them."""

FINAL = frozenset({400, 410, 413, 414, 415, 422})
"""Answers that this very letter will always get. Whatever else is no success may be mended at the other end."""


class Form(StrEnum):
    """What is posted."""

    CLOUDEVENTS = "cloudevents"
    SLACK = "slack"


class Webhook(Frozen):
    """One destination. `kinds` None: every kind of notice; several `secrets`: as many signatures, while they rotate."""

    name: str
    to: Destination
    form: Form = Form.CLOUDEVENTS
    kinds: frozenset[str] | None = None
    secrets: tuple[SecretStr, ...] = ()


def key_of(secret: str) -> bytes:
    """The bytes of a secret as it is written.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret begins with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {PREFIX} has to be base64") from None
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(f"a secret has {SHORTEST_SECRET} to {LONGEST_SECRET} bytes, this one {len(key)}")
    return key


def signature_headers(message_id: str, at: int, body: bytes, keys: tuple[bytes, ...]) -> dict[str, str]:
    """The three headers of Standard Webhooks, one signature for each key.

    Args:
        at: seconds since 1970 of this attempt.
    """
    signed = f"{message_id}.{at}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


class WebhookChannel:
    """Posts each notice to one destination. A receiver knows a repetition by its `webhook-id`."""

    def __init__(self, webhook: Webhook, outward: Outward, now: Callable[[], float] = time.time) -> None:
        self._webhook, self._outward, self._now = webhook, outward, now
        self._keys = tuple(key_of(one.get_secret_value()) for one in webhook.secrets)

    @property
    def name(self) -> str:
        return f"webhook:{self._webhook.name}"

    def takes(self, letter: Letter) -> bool:
        kinds = self._webhook.kinds
        return letter.for_programs and (kinds is None or kind_of(letter) in kinds)

    async def send(self, letter: Letter) -> None:
        webhook = self._webhook
        if webhook.form is Form.SLACK:
            body, headers = slack_message(letter), {"content-type": "application/json"}
        else:
            body, headers = cloudevent(letter, self.name), {"content-type": "application/cloudevents+json"}
        if self._keys:
            headers |= signature_headers(letter.name_for(self.name), int(self._now()), body, self._keys)
        answer = await self._outward.post(webhook.to, body, {**headers, "user-agent": "partner-rollouts"})
        if 200 <= answer.status < 300:
            return
        told = f"answered {answer.status}: {' '.join(answer.text.split())[:100]}".rstrip(": ")
        if answer.status in FINAL:
            raise Undeliverable(told)
        if 300 <= answer.status < 400:
            told += "; redirects are not followed"
        raise ConnectionError(told)
