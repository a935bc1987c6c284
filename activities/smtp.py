"""Letters through a mail relay."""

from __future__ import annotations

import ssl
from enum import StrEnum

import aiosmtplib
from aiosmtplib import (
    SMTPConnectError,
    SMTPDataError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from activities.channels import SENDER, Away, Undeliverable
from activities.letters import Letter

TIMEOUT = 5.0
"""Seconds that the relay gets for each answer."""


class StartTls(StrEnum):
    """Whether the connection to the relay is encrypted. Only `required` proves that it is the relay."""

    OFFERED = "offered"
    REQUIRED = "required"
    NEVER = "never"


class SmtpChannel:
    """Letters through a mail relay. Its codes from 500 on for a letter are its last word, those below ask to come
    again; whatever it says of itself, or of our login, may be mended."""

    name = "smtp"

    def __init__(
        self,
        host: str,
        port: int = 25,
        sender: str = SENDER,
        *,
        starttls: StartTls = StartTls.OFFERED,
        login: tuple[str, str] | None = None,
        trust: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Args:
        login: user and password.
        trust: whose certificates count where TLS is required; by default those that this machine trusts.
        """
        self._host, self._port, self._sender, self._timeout = host, port, sender, timeout
        self._starttls, self._login, self._trust = starttls, login, trust

    def takes(self, letter: Letter) -> bool:
        return not letter.for_programs

    async def send(self, letter: Letter) -> None:
        relay = self._relay()
        try:
            async with relay:
                await relay.send_message(letter.message(self._sender), sender=self._sender, recipients=[letter.contact])
        except (SMTPRecipientsRefused, SMTPRecipientRefused, SMTPSenderRefused, SMTPDataError) as refused:
            code, told = _said(refused)
            if code >= 500:
                raise Undeliverable(f"{code} {told}"[:300]) from refused
            raise ConnectionError(f"{code} {told}"[:300]) from refused
        except (SMTPConnectError, OSError) as problem:
            raise Away(f"{type(problem).__name__}: {problem}"[:300]) from problem

    def _relay(self) -> aiosmtplib.SMTP:
        required = self._starttls is StartTls.REQUIRED
        user, password = self._login or (None, None)
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self._timeout,
            start_tls={StartTls.OFFERED: None, StartTls.REQUIRED: True, StartTls.NEVER: False}[self._starttls],
            # Who may strip the offer may as well show any certificate: checking it would only keep letters back.
            validate_certs=required,
            tls_context=self._trust if required else None,
            username=user,
            password=password,
        )


def _said(refused: SMTPResponseException | SMTPRecipientsRefused) -> tuple[int, str]:
    one = refused.recipients[0] if isinstance(refused, SMTPRecipientsRefused) else refused
    return one.code, one.message
