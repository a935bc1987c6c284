"""Signing in at issuers that are not ours: what a good one says is taken, and nothing that a bad one says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import asyncpg
import httpx
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from console.settings import ConsoleSettings, listen, place_of
from console.signing import generate
from console.site import CALLBACK, real_site
from tests.console.conftest import problem
from tests.console.issuers import SECRET, Liar, lenient_issuer, lying, strict_issuer, through_strict
from tests.console.visitors import Browser, query, serving_on


@asynccontextmanager
async def signing_in_at(
    database: str, folder: Path, begin: Callable[[str], Any], people: str | None = None
) -> AsyncIterator[Browser]:
    """A browser in front of a service that trusts an issuer, which is begun with where it leads back to."""
    generate(folder / "key.json", folder / "public.json")
    if people:
        (folder / "people.yaml").write_text(people)
    with listen("127.0.0.1:0") as listening:
        url = f"http://{place_of(listening)}"
        async with begin(url + CALLBACK) as issuer:
            settings = ConsoleSettings(
                public_url=url,
                oidc_issuer=issuer,
                oidc_client_id="rollouts",
                oidc_client_secret=SecretStr(SECRET),
                signing_key=folder / "key.json",
                people=folder / "people.yaml" if people else None,
                sign_ins_per_minute=1000,
            )
            async with serving_on(listening, database, settings, lambda gateway: real_site(settings, gateway)):
                browser = Browser(url)
                async with browser.client:
                    yield browser


async def _strictly(browser: Browser, login: str, path: str = "/login") -> str:
    """Where the strict issuer leads back to."""
    off = await browser.get(path)
    assert off.status_code == 303, off.text
    async with httpx.AsyncClient() as elsewhere:
        return await through_strict(elsewhere, off.headers["location"], login)


async def test_a_strict_issuer_vouches_and_is_asked_again_before_a_decision(database: str, tmp_path: Path) -> None:
    async with signing_in_at(database, tmp_path, strict_issuer) as browser:
        back = await _strictly(browser, "fin", "/login?next=/plans")
        told = await browser.get(back)
        assert (told.status_code, told.headers.get("location")) == (303, "/plans"), told.text
        me = (await browser.get("/v1/me")).json()
        assert (me["subject"], me["identity"], me["name"]) == ("fin", "fin@example.com", "Name of fin")
        # What the person has in hand goes to the issuer's own origin alone, besides ours.
        policy = (await browser.get("/v1/me")).headers["content-security-policy"]
        assert f"form-action 'self' {me['issuer']};" in policy
        off = await browser.get("/login?again=1&next=/plans")
        asked = query(off.headers["location"])
        assert (asked["max_age"], asked["prompt"]) == ("300", "login")


async def test_a_strict_issuer_takes_no_code_with_another_verifier_and_none_without_pkce(
    database: str, tmp_path: Path
) -> None:
    async with signing_in_at(database, tmp_path, strict_issuer) as browser:
        back = await _strictly(browser, "fin")
        conn = await asyncpg.connect(database)
        await conn.execute("update sign_in set verifier = repeat('x', 64)")
        await conn.close()
        assert "does not take the code" in problem(await browser.get(back), 401)["detail"]
        assert browser.session is None
        # It would have told, had we left the challenge out.
        off = (await browser.get("/login")).headers["location"]
        without = {name: value for name, value in query(off).items() if not name.startswith("code_challenge")}
        async with httpx.AsyncClient() as elsewhere:
            told = await elsewhere.get(f"{off.partition('?')[0]}?{urlencode(without)}")
        assert "error=invalid_request" in told.headers["location"]


async def test_an_error_of_the_issuer_is_told_and_signs_nobody_in(database: str, tmp_path: Path) -> None:
    async with signing_in_at(database, tmp_path, strict_issuer) as browser:
        state = query((await browser.get("/login")).headers["location"])["state"]
        issuer = urlsplit((await browser.get("/login")).headers["location"])
        said = {"error": "access_denied", "state": state, "iss": f"{issuer.scheme}://{issuer.netloc}"}
        # The second login has another state: the first is not this browser's any more.
        problem(await browser.get(f"{CALLBACK}?{urlencode(said)}"), 401)
        state = query((await browser.get("/login")).headers["location"])["state"]
        told = problem(await browser.get(f"{CALLBACK}?{urlencode(said | {'state': state})}"), 401)
        assert "access_denied" in told["detail"]


async def test_an_unverified_address_is_nobodys_unless_the_file_of_people_names_the_person(
    database: str, tmp_path: Path
) -> None:
    async with signing_in_at(database, tmp_path, strict_issuer) as browser:
        back = await _strictly(browser, "unverified")
        assert "no verified e-mail address" in problem(await browser.get(back), 403)["detail"]
        assert browser.session is None


async def test_a_lenient_issuer_vouches_too(database: str, tmp_path: Path) -> None:
    def begin(_: str) -> Any:
        return lenient_issuer([{"sub": "fin", "email": "fin@example.com", "email_verified": True, "name": "Fin"}])

    async with signing_in_at(database, tmp_path, begin) as browser:
        off = (await browser.get("/login")).headers["location"]
        async with httpx.AsyncClient() as elsewhere:
            back = await elsewhere.post(off, data={"sub": "fin"})
        told = await browser.get(back.headers["location"])
        assert told.status_code == 303, told.text
        me = (await browser.get("/v1/me")).json()
        assert me["identity"] == "fin@example.com"
        assert abs(time.time() - me["auth_time"]) < 60


NOW = int(time.time())
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"claims": {"nonce": "another"}}, "nonce"),
    "no nonce": ({"dropped": ("nonce",)}, "nonce"),
    "another audience": ({"claims": {"aud": "somebody-else"}}, "does not hold"),
    "two audiences": ({"claims": {"aud": ["rollouts", "somebody-else"], "azp": "rollouts"}}, "not for it alone"),
    "another audience that names us": ({"claims": {"aud": "somebody-else", "azp": "rollouts"}}, "not for this service"),
    "no audience": ({"dropped": ("aud",)}, "aud"),
    "another issuer": ({"claims": {"iss": "https://evil.example"}}, "iss"),
    "expired": ({"claims": {"exp": NOW - 3600, "iat": NOW - 7200}}, "expired"),
    "no expiry": ({"dropped": ("exp",)}, "exp"),
    "from the future": ({"claims": {"iat": NOW + 3600, "exp": NOW + 7200}}, "issued in the future"),
    "no subject": ({"dropped": ("sub",)}, "sub"),
    "a subject that is no text": ({"claims": {"sub": 7}}, ""),
    "no time of signing in": ({"dropped": ("auth_time",)}, "auth_time"),
    "a time that is no number": ({"claims": {"auth_time": "now"}}, "auth_time"),
    "signed in in the future": ({"claims": {"auth_time": NOW + 3600}}, "future"),
    "signed in long ago": ({"claims": {"auth_time": NOW - 9 * 3600}}, "asked to sign you in anew"),
    "unsigned": ({"sign": Liar.unsigned}, "not signed as it must be"),
    "signed with our own secret": ({"sign": Liar.with_our_secret}, "not signed as it must be"),
    "signed with a secret that it publishes": ({"sign": Liar.with_a_published_secret}, "not signed as it must be"),
    "signed with its public key": ({"sign": Liar.with_its_public_key}, "not signed as it must be"),
    "signed with another key": (
        {"sign": lambda liar, claims: liar.signed(claims, ECKey.generate_key("P-256"))},
        "not signed as it must be",
    ),
    "no token at all": ({"sign": lambda liar, claims: None}, "no ID token"),
    "a token that is none": ({"sign": lambda liar, claims: "a.b.c"}, "not signed as it must be"),
    "an answer of another issuer": ({"back": {"iss": "https://evil.example"}}, "another issuer"),
    "an answer that must say whose it is": (
        {"metadata": {"authorization_response_iss_parameter_supported": True}},
        "does not say which issuer",
    ),
    "no code": ({"back": {"code": ""}}, "no code"),
    "another state": ({"back": {"state": "another"}}, "did not begin"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nothing_that_a_liar_says_signs_anybody_in(lie: str, database: str, tmp_path: Path) -> None:
    told, words = LIES[lie]
    liar = Liar(**told)

    @asynccontextmanager
    async def begin(_: str) -> AsyncIterator[str]:
        async with lying(liar):
            yield liar.url

    async with signing_in_at(database, tmp_path, begin) as browser:
        off = await browser.get("/login")
        async with httpx.AsyncClient() as elsewhere:
            back = (await elsewhere.get(off.headers["location"])).headers["location"]
        assert words in problem(await browser.get(back), 401)["detail"]
        assert browser.session is None
        # It is its lie that was refused, and nothing else about it.
        for name in ("claims", "metadata", "back"):
            getattr(liar, name).clear()
        liar.dropped, liar.sign = (), None
        if "metadata" in told:
            return
        off = await browser.get("/login")
        async with httpx.AsyncClient() as elsewhere:
            back = (await elsewhere.get(off.headers["location"])).headers["location"]
        assert (await browser.get(back)).status_code == 303


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"issuer": "https://evil.example"}, "calls itself"),
        ({"token_endpoint": "http://login.example.com/token"}, "https://"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "https://"),
        ({"jwks_uri": None}, "https://"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
    ],
)
async def test_an_issuer_that_is_not_what_the_settings_say_is_not_used(
    metadata: dict[str, Any], words: str, database: str, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def begin(_: str) -> AsyncIterator[str]:
        async with lying(Liar(metadata=metadata)) as liar:
            yield liar.url

    async with signing_in_at(database, tmp_path, begin) as browser:
        assert words in problem(await browser.get("/login"), 503)["detail"]


async def test_a_person_whom_the_file_names_is_who_it_says(database: str, tmp_path: Path) -> None:
    liar = Liar(dropped=("email",))

    @asynccontextmanager
    async def begin(_: str) -> AsyncIterator[str]:
        async with lying(liar):
            people = "people:\n- {issuer: '%s', subject: liar, name: Lia R., identity: lia@example.com, may: [start]}\n"
            (tmp_path / "people.yaml").write_text(people % liar.url)
            yield liar.url

    async with signing_in_at(database, tmp_path, begin, people="replaced") as browser:
        off = await browser.get("/login")
        async with httpx.AsyncClient() as elsewhere:
            back = (await elsewhere.get(off.headers["location"])).headers["location"]
        assert (await browser.get(back)).status_code == 303
        me = (await browser.get("/v1/me")).json()
        assert (me["identity"], me["name"]) == ("lia@example.com", "Lia R.")
