"""A post goes to public addresses only, to the very one that was checked, and follows nobody anywhere else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from activities.channels import Away
from activities.outward import ANSWER_BYTES, Destination, Outward, Refused, Resolve, destination, resolve
from tests.activities.receiver import answer, certified, receiving

PUBLIC = "93.184.215.14"


def naming(*answers: tuple[str, ...]) -> tuple[Resolve, list[str]]:
    """A resolver that answers so, one after the other and then always the last, and what it was asked."""
    asked: list[str] = []

    async def resolver(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolver, asked


def to(port: int, host: str = "127.0.0.1", scheme: str = "http", path: str = "/in") -> Destination:
    return destination(f"{scheme}://{host}:{port}{path}", loopback=True)


class Nothing(httpx2.AsyncByteStream):
    """The body of an answer that has none."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for part in nothing:
            yield part


INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "3fff::1",
    "5f00::1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_stands_for_an_address_inside_is_not_posted_to(address: str) -> None:
    async def nobody(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"{request.url} was posted to")

    for addresses in ((address,), (PUBLIC, address), (address, PUBLIC)):
        outward = Outward(resolver=naming(addresses)[0], transport=httpx2.MockTransport(nobody))
        with pytest.raises(Refused, match="is not a public address"):
            await outward.post(destination("https://hooks.example.com/in"), b"{}", {})


@pytest.mark.parametrize("address", [one for one in INSIDE if "%" not in one])
def test_an_address_inside_cannot_even_be_written_down(address: str) -> None:
    with pytest.raises(Refused):
        destination(f"https://[{address}]/in" if ":" in address else f"https://{address}/in")


@pytest.mark.parametrize("host", ["0", "2130706433", "127.1", "127.0.1", "0x7f.1", "0177.0.0.1", "localhost"])
async def test_an_odd_way_to_write_this_machine_leads_nowhere(host: str) -> None:
    """The system's own resolver reads them as addresses, so they are checked as such."""
    with pytest.raises((Refused, Away)) as caught:
        await Outward().post(destination(f"https://{host}:1/in"), b"{}", {})
    assert isinstance(caught.value, Refused) or "not known" in str(caught.value), caught.value


async def test_the_resolver_is_the_system_s() -> None:
    assert await resolve("127.1", 443) == ("127.0.0.1",)
    assert set(await resolve("localhost", 443)) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/in", "https://"),
        ("ftp://hooks.example.com/in", "https://"),
        ("//hooks.example.com/in", "https://"),
        ("hooks.example.com", "https://"),
        ("https:///in", "no host"),
        ("https://user:secret@hooks.example.com/in", "passwords"),
        ("https://user@hooks.example.com/in", "passwords"),
        ("https://@hooks.example.com/in", "passwords"),
        ("https://hooks.example.com@127.0.0.1/in", "passwords"),
        ("https://hooks.example.com\\@127.0.0.1/in", "backslash"),
        ("https://hooks.example.com/in\r\nHost: inside", "control"),
        ("https://hooks.example.com/in\r\n\r\nPOST / HTTP/1.1", "control"),
        ("https://hooks.example.com%0d%0aX:1/in", "cannot be read|no host"),
        ("https://hooks example.com/in", "space"),
        ("https://hooks.example.com/\N{BULLET}", "ASCII"),
        ("https://\N{FULLWIDTH DIGIT ONE}27.0.0.1/", "ASCII"),
        ("https://127。0。0。1/", "ASCII"),
        ("https://hooks.example.com:0/in", "port 0"),
        ("https://hooks.example.com:99999/in", "cannot be read"),
        ("https://hooks.example.com:x/in", "cannot be read"),
        ("https://[::1/in", "cannot be read"),
        ("https://hooks.example.com/in#part", "#"),
        ("https://hooks.example.com/in#", "#"),
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused_without_repeating_it(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        destination(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
async def test_the_connection_goes_to_the_address_that_was_checked_under_the_name(address: str) -> None:
    """Names that are resolved anew between the check and the connection could lead anywhere."""
    seen: list[httpx2.Request] = []

    async def take(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(204, stream=Nothing())

    resolver, asked = naming((address,), ("127.0.0.1",))
    outward = Outward(resolver=resolver, transport=httpx2.MockTransport(take))
    assert (await outward.post(destination("https://hooks.example.com/in?x=1"), b"{}", {})).status == 204
    (request,) = seen
    assert (request.url.host, request.url.port, request.url.raw_path) == (address, None, b"/in?x=1")
    assert request.headers.get_list("host") == ["hooks.example.com"]
    assert request.extensions["sni_hostname"] == "hooks.example.com"
    assert asked == ["hooks.example.com"], "the name was resolved again"


async def test_a_name_that_changes_between_check_and_connection_changes_nothing() -> None:
    """The second answer would lead to another receiver on the same port."""
    async with receiving("127.0.0.1") as checked:
        resolver, asked = naming(("127.0.0.1",), ("127.0.0.2",))
        outward = Outward(loopback=True, resolver=resolver)
        assert (await outward.post(to(checked.port, "hooks.example.com"), b"{}", {})).status == 204
        assert checked.posts[0].headers["host"] == f"hooks.example.com:{checked.port}"
    assert asked == ["hooks.example.com"]


async def test_tls_is_spoken_with_the_name_and_not_with_the_address(tmp_path: Path) -> None:
    server, trust = certified(tmp_path, "hooks.example.com")
    async with receiving(tls=server) as receiver:
        outward = Outward(loopback=True, resolver=naming(("127.0.0.1",))[0], trust=trust)
        assert (await outward.post(to(receiver.port, "hooks.example.com", "https"), b"{}", {})).status == 204
        assert receiver.names == ["hooks.example.com"]
        with pytest.raises(Away, match="certificate"):
            await outward.post(to(receiver.port, "other.example.com", "https"), b"{}", {})
        strict = Outward(loopback=True, resolver=naming(("127.0.0.1",))[0])
        with pytest.raises(Away, match="certificate"):
            await strict.post(to(receiver.port, "hooks.example.com", "https"), b"{}", {})
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving() as inside, receiving() as receiver:
        receiver.answers = [answer(status, "", f"location: http://127.0.0.1:{inside.port}/latest/meta-data")]
        assert (await Outward(loopback=True).post(to(receiver.port), b"{}", {})).status == status
    assert (len(receiver.posts), inside.posts) == (1, [])


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await Outward(loopback=True).post(to(receiver.port), b"{}", {})
    assert (len(receiver.posts), proxy.posts) == (1, [])


async def test_http_goes_to_this_machine_alone() -> None:
    outward = Outward(loopback=True, resolver=naming((PUBLIC,))[0])
    with pytest.raises(Refused, match="https is needed"):
        await outward.post(to(80, "hooks.example.com"), b"{}", {})


async def test_nobody_waits_long_for_an_answer() -> None:
    async with receiving() as receiver:
        receiver.hang = asyncio.Event()
        began = time.monotonic()
        with pytest.raises(Away, match=r"no answer within 0\.2 s"):
            await Outward(loopback=True, within=0.2).post(to(receiver.port), b"{}", {})
        assert time.monotonic() - began < 5


async def test_an_answer_without_end_is_cut_off() -> None:
    async with receiving() as receiver:
        receiver.endless = True
        receiver.answers = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"]
        found = await Outward(loopback=True).post(to(receiver.port), b"{}", {})
    assert (found.status, found.text) == (200, "x" * 200)
    assert ANSWER_BYTES < 100_000


async def test_where_nobody_listens_the_address_is_not_repeated() -> None:
    async with receiving() as receiver:
        port = receiver.port
    with pytest.raises(Away) as caught:
        await Outward(loopback=True).post(to(port, path="/T000/secret"), b"{}", {})
    assert "ConnectError" in str(caught.value)
    assert "secret" not in str(caught.value) + repr(to(port, path="/T000/secret"))


async def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving() as receiver:
        await Outward(loopback=True).post(to(receiver.port, path="/T000/secret"), b"{}", {"x-key": "secret"})
    assert receiver.posts[0].line == "POST /T000/secret HTTP/1.1"
    assert "secret" not in caplog.text


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async with receiving("127.0.0.1") as receiver:
        outward = Outward(loopback=True, resolver=naming(("127.0.0.9", "127.0.0.1"))[0])
        assert (await outward.post(to(receiver.port, "hooks.example.com"), b"{}", {})).status == 204


async def test_a_name_that_nobody_knows_is_tried_again() -> None:
    async def unknown(host: str, port: int) -> tuple[str, ...]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(Away, match="Name or service not known"):
        await Outward(resolver=unknown).post(destination("https://hooks.example.com/"), b"{}", {})
    with pytest.raises(Away, match="no address"):
        await Outward(resolver=naming(())[0]).post(destination("https://hooks.example.com/"), b"{}", {})
