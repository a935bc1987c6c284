"""Posts to a web address that only an operator names, and never to anything inside: whatever its name resolves to."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx2
from pydantic import Field

from activities.channels import Away
from models.base import Frozen

for _name in ("httpx2", "httpcore2"):
    # They would log every address that is posted to, and at times it is a secret.
    logging.getLogger(_name).setLevel(logging.WARNING)

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Resolve: TypeAlias = "Callable[[str, int], Awaitable[tuple[str, ...]]]"

WITHIN = 6.0
"""Seconds for everything: name, connection, answer."""

ANSWER_BYTES = 16 * 1024
"""Of an answer, that nobody needs more of than a sentence."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

_NEVER = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "100::/64", "2001::/23", "3fff::/20", "5f00::/16"))
)
"""Special addresses that some of the Pythons we run on take for public ones."""

_EMBEDDING = ipaddress.IPv6Network("64:ff9b::/96")
"""NAT64: the last four bytes are the address of IPv4 that is meant."""


class Destination(Frozen):
    """Where to post, taken apart once so that nobody later reads the address in another way."""

    scheme: str
    host: str
    port: int
    path: str = Field(repr=False)  # Of many services the path is the secret.

    @property
    def authority(self) -> str:
        """As the Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


class Refused(Exception):
    """An address that is not posted to; the message does not repeat it, for it may hold a secret."""


class Answer(Frozen):
    """What came back: the status, and the beginning of the text."""

    status: int
    text: str


def destination(url: str, *, loopback: bool = False) -> Destination:
    """Take a web address apart.

    Args:
        loopback: allow http, and addresses of this machine: for development and tests.

    Raises:
        Refused: it is none that is posted to.
    """
    if _FORBIDDEN.search(url):
        raise Refused("it holds a space, a control character, a backslash, or a character that is not ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        raise Refused(f"it cannot be read: {problem}") from None
    if parts.scheme not in ("https", "http"):
        raise Refused("it has to begin with https://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Refused("user names and passwords do not belong into it")
    if _literal(host) is None and not _NAME.fullmatch(host):
        raise Refused("it names no host")
    if port == 0:
        raise Refused("port 0 is none")
    if parts.fragment or "#" in url:
        raise Refused("a part after # is never sent")
    if parts.scheme == "http" and not loopback:
        raise Refused("it has to begin with https://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    found = Destination(
        scheme=parts.scheme, host=host, port=port or (443 if parts.scheme == "https" else 80), path=path
    )
    literal = _literal(host)
    if literal is not None:
        check_address(str(literal), plain=parts.scheme == "http", loopback=loopback)
    return found


def check_address(written: str, *, plain: bool, loopback: bool) -> None:
    """Raises:
    Refused: it is no public address, and none of this machine where that is allowed.
    """
    address = _meant(ipaddress.ip_address(written.partition("%")[0]))
    if loopback and address.is_loopback:
        return
    if plain:
        raise Refused(f"{address} is not this machine, so https is needed")
    special = any(address in network for network in _NEVER if network.version == address.version)
    if special or not address.is_global or address.is_multicast or address.is_reserved:
        raise Refused(f"{address} is not a public address")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """The address behind one that wraps another: mapped, translated or tunnelled IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _EMBEDDING:
            return ipaddress.IPv4Address(address.packed[-4:])
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        return inner or address
    return address


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Every address a name stands for, in the order in which the system would try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class Outward:
    """Posts to a destination: its name is resolved once, every address it stands for is checked, and the connection
    goes to one of those very addresses, under the name. No redirect is followed, no proxy of the environment used."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        resolver: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        within: float = WITHIN,
    ) -> None:
        self._loopback, self._resolver, self._within = loopback, resolver, within
        self._trust, self._transport = trust or ssl.create_default_context(), transport

    async def post(self, to: Destination, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once.

        Raises:
            Refused: the name stands for an address that is not posted to.
            Away: nobody answered in time.
        """
        try:
            async with asyncio.timeout(self._within):
                for address in (addresses := await self._addresses(to)):
                    try:
                        return await self._post(to, address, body, headers)
                    except httpx2.ConnectError:
                        if address == addresses[-1]:
                            raise
        except TimeoutError:
            raise Away(f"no answer within {self._within:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
            # What the library says may hold the address; the kind of problem is enough to go on.
            raise Away(f"{type(problem).__name__}: {_cause(problem)}") from None
        raise Away("the name stands for no address")

    async def _addresses(self, to: Destination) -> tuple[str, ...]:
        found = await self._resolver(to.host, to.port)
        for one in found:
            check_address(one, plain=to.scheme == "http", loopback=self._loopback)
        return found

    async def _post(self, to: Destination, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        host = f"[{address}]" if ":" in address else address
        client = httpx2.AsyncClient(
            transport=self._transport, verify=self._trust, follow_redirects=False, trust_env=False, timeout=self._within
        )
        async with (
            client,
            client.stream(
                "POST",
                f"{to.scheme}://{host}:{to.port}{to.path}",
                content=body,
                headers={**headers, "host": to.authority, "accept-encoding": "identity"},
                extensions={"sni_hostname": to.host},
            ) as response,
        ):
            text = b""
            async for part in response.aiter_raw():
                text += part
                if len(text) >= ANSWER_BYTES:
                    break
            return Answer(status=response.status_code, text=text[:200].decode(errors="replace"))


def _cause(problem: BaseException) -> str:
    """What the system said, where it said something."""
    while problem.__cause__ is not None or problem.__context__ is not None:
        problem = problem.__cause__ or problem.__context__ or problem
    told = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return " ".join(str(told).split())[:200]
