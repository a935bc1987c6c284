"""Signing in by the issuer for trying things out, sessions, and what a page of elsewhere cannot do: over real HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from console.devissuer import ON_CALL, PROGRAMME
from console.guard import SESSION, SIGN_IN, csrf_of
from console.settings import ConsoleSettings, listen
from console.signin import own_path
from console.site import Site, dev_site
from tests.console.conftest import problem
from tests.console.visitors import Browser, new_signer, query, serving
from worker.settings import SettingsError

SETTINGS = ConsoleSettings(sign_ins_per_minute=1000)


@pytest.fixture
async def site(database: str) -> AsyncIterator[Site]:
    async with serving(database, SETTINGS) as found:
        yield found


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    found = Browser(site.url)
    async with found.client:
        yield found


@pytest.fixture
async def rows(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    conn = await asyncpg.connect(database)
    yield conn
    await conn.close()


async def test_who_signs_in_is_known_by_issuer_and_subject_and_comes_back_to_the_page(
    site: Site, browser: Browser
) -> None:
    back = await browser.sign_in(PROGRAMME, "/login?next=/rollouts/gold%3Ftab=plan")
    assert (back.status_code, back.headers["location"]) == (303, "/rollouts/gold?tab=plan")
    me = (await browser.get("/v1/me")).json()
    assert (me["issuer"], me["subject"], me["identity"]) == (f"{site.url}/dev-issuer", PROGRAMME, PROGRAMME)
    assert time.time() - me["auth_time"] < 60


async def test_a_session_is_a_cookie_that_scripts_and_other_hosts_cannot_read_and_the_store_keeps_a_hash(
    browser: Browser, rows: asyncpg.Connection[asyncpg.Record]
) -> None:
    back = await browser.sign_in(PROGRAMME)
    cookie = next(one for one in back.headers.get_list("set-cookie") if one.startswith(SESSION))
    attributes = {one.strip().lower() for one in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)
    assert browser.session is not None
    assert len(browser.session) >= 43
    kept = await rows.fetchrow("select * from session")
    assert kept is not None
    assert browser.session not in str(dict(kept))


async def test_without_a_session_a_machine_is_told_and_a_browser_led_to_sign_in(browser: Browser) -> None:
    told = await browser.get("/v1/me")
    problem(told, 401)
    assert "Bearer" in told.headers["www-authenticate"]
    page = await browser.get("/terminal?code=ABCD")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/terminal%3Fcode%3DABCD")


async def test_a_session_planted_before_never_becomes_the_persons(
    browser: Browser, rows: asyncpg.Connection[asyncpg.Record]
) -> None:
    await browser.sign_in(PROGRAMME)
    first = browser.session
    assert first is not None
    # The same browser signs in once more, as somebody else: what it had before is worth nothing.
    await browser.sign_in(ON_CALL)
    assert browser.session not in (None, first)
    async with httpx.AsyncClient(base_url=browser.url, headers={"authorization": f"Bearer {first}"}) as old:
        problem(await old.get("/v1/me"), 401)
    assert await rows.fetchval("select ended_by from session where ended_at is not null") == "signed in again"


async def test_who_signs_out_is_out_also_with_a_copy_of_the_cookie(browser: Browser) -> None:
    await browser.sign_in(PROGRAMME)
    copy = browser.session
    assert (await browser.get("/logout")).status_code == 405
    assert (await browser.post("/logout")).status_code == 303
    assert browser.session is None
    told = await browser.get("/v1/me", headers={"cookie": f"{SESSION}={copy}"})
    problem(told, 401)


@pytest.mark.parametrize(
    ("column", "back"), [("last_seen_at", "31 minutes"), ("created_at", "8 hours 1 minute")], ids=["idle", "absolute"]
)
async def test_a_session_ends_by_itself(
    browser: Browser, rows: asyncpg.Connection[asyncpg.Record], column: str, back: str
) -> None:
    await browser.sign_in(PROGRAMME)
    assert (await browser.get("/v1/me")).status_code == 200
    await rows.execute(f"update session set {column} = {column} - interval '{back}'")  # noqa: S608
    problem(await browser.get("/v1/me"), 401)


async def test_use_keeps_a_session_from_going_idle(browser: Browser, rows: asyncpg.Connection[asyncpg.Record]) -> None:
    await browser.sign_in(PROGRAMME)
    for _ in range(3):
        await rows.execute("update session set last_seen_at = last_seen_at - interval '20 minutes'")
        assert (await browser.get("/v1/me")).status_code == 200


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "evil.example",
        "https:evil.example",
        "",
    ],
)
async def test_signing_in_leads_to_no_other_site(browser: Browser, where: str) -> None:
    off = await browser.get("/login", params={"next": where})
    assert off.status_code == 303
    found = own_path(where)
    assert found == "/" or (found.startswith("/") and not found.startswith(("//", "/\\")))


async def test_an_answer_of_the_issuer_is_taken_once_by_the_browser_that_asked_and_with_its_state(
    site: Site, browser: Browser
) -> None:
    off = await browser.get("/login")
    asked = query(off.headers["location"])
    assert asked["code_challenge_method"] == "S256"
    assert {"nonce", "state", "code_challenge", "max_age"} <= set(asked)
    chosen = await browser.client.post(
        off.headers["location"], data={"persona": PROGRAMME}, headers={"origin": browser.url}
    )
    back = chosen.headers["location"]
    # Somebody else's browser, led here with a code of the attacker: it would be signed in as them.
    other = Browser(site.url)
    async with other.client:
        problem(await other.get(back), 401)
        assert other.session is None
        await other.get("/login")
        problem(await other.get(back), 401)
    problem(await browser.get(back.replace(f"state={asked['state']}", "state=another")), 401)
    assert (await browser.get(back)).status_code == 303
    problem(await browser.get(back), 401)


async def test_an_answer_of_another_issuer_or_one_that_speaks_twice_is_refused(browser: Browser) -> None:
    for spoil in ("&iss=https://evil.example", "&code=another"):
        off = await browser.get("/login")
        chosen = await browser.client.post(
            off.headers["location"], data={"persona": PROGRAMME}, headers={"origin": browser.url}
        )
        back = chosen.headers["location"]
        assert "iss=" in back
        problem(await browser.get(back + spoil), 401)
    off = await browser.get("/login")
    location = off.headers["location"]
    chosen = await browser.client.post(location, data={"persona": PROGRAMME}, headers={"origin": browser.url})
    back = chosen.headers["location"]
    for changed in (back.partition("&iss=")[0], back.partition("&iss=")[0] + "&iss=https://evil.example"):
        body = problem(await browser.get(changed), 401)
        assert "issuer" in body["detail"] or "begin" in body["detail"]
    assert browser.session is None


async def test_nothing_forged_gets_through(browser: Browser) -> None:
    await browser.sign_in(PROGRAMME)
    right = csrf_of(browser.session or "")
    forged = [
        ({}, {"sec_fetch_site": "cross-site"}),
        ({}, {"sec_fetch_site": "same-site"}),
        ({}, {"sec_fetch_site": "none"}),
        ({}, {"sec_fetch_site": "", "origin": "http://127.0.0.1:1"}),
        ({}, {"sec_fetch_site": "", "origin": "null"}),
        ({}, {"sec_fetch_site": "", "origin": ""}),
        ({}, {"origin": "https://evil.example"}),
        ({"csrf": ""}, {}),
        ({"csrf": csrf_of("another session")}, {}),
        ({"csrf": right + "0"}, {}),
    ]
    for form, headers in forged:
        told = await browser.post("/logout", form, **headers)
        assert "nothing was changed" in problem(told, 403)["detail"], (form, headers)
    without = await browser.client.post("/logout", headers={"origin": browser.url})
    problem(without, 403)
    double = await browser.client.post(
        "/logout",
        content=f"csrf={right}&csrf=x",
        headers={"origin": browser.url, "content-type": "application/x-www-form-urlencoded"},
    )
    problem(double, 403)
    assert (await browser.get("/v1/me")).status_code == 200
    # The header does as well as the field, and an old browser that says its origin alone is served.
    told = await browser.client.post("/logout", headers={"origin": browser.url, "x-csrf-token": right})
    assert told.status_code == 303


async def test_it_answers_by_its_own_name_alone(browser: Browser) -> None:
    for host in ("evil.example", "localhost:80", "127.0.0.1"):
        problem(await browser.get("/login", headers={"host": host}), 421)
    assert (await browser.get("/healthz", headers={"host": "10.0.0.7"})).status_code == 200


async def test_what_is_refused_before_any_page_is_a_page_for_browsers_and_tells_where_to_go(
    site: Site, browser: Browser
) -> None:
    html = {"accept": "text/html,application/xhtml+xml"}
    await browser.sign_in(PROGRAMME)
    forged = await browser.post("/logout", {"csrf": "forged"}, **html)
    assert (forged.status_code, forged.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "nothing was changed" in forged.text
    for host in ("evil.example", "localhost:80", "[", "a b", "\xe4", ""):
        elsewhere = await browser.get("/login", headers=html | {"host": host.encode("latin-1")})
        assert elsewhere.status_code in (400, 421), host
        if elsewhere.status_code == 421:
            assert f'href="{site.url}/"' in elsewhere.text
            assert "evil.example" not in elsewhere.text
    for answer in (forged, await browser.get("/nowhere", headers=html | {"host": "evil.example"})):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    problem(await browser.get("/v1/me", headers=html | {"host": "evil.example"}), 421)
    odd = await browser.get("/dev-issuer/authorize?client_id=another", headers=html)
    assert (odd.status_code, "serves its own service alone" in odd.text) == (400, True)


async def test_the_issuer_s_page_and_the_terminal_s_speak_the_language_that_the_browser_prefers(
    browser: Browser,
) -> None:
    there = (await browser.get("/login")).headers["location"]
    for path in (there, "/terminal?code=ABCD"):
        for language, words in (("en", ("Who do you want to be?", "Allow")), ("ja", ("誰として", "許可"))):
            page = await browser.get(path, headers={"accept-language": language})
            assert page.headers["content-language"] == language
            assert any(word in page.text for word in words)
            assert "/static/console.css" in page.text
        await browser.sign_in(PROGRAMME)
    # The switch leads back to the very request: without it nobody could go on.
    switch = re.search(r'href="(/language/ja[^"]+)"', (await browser.get(there)).text)
    assert switch is not None
    back = await browser.get(switch[1].replace("&amp;", "&"))
    assert query(back.headers["location"]) == query(there)


async def test_every_answer_says_what_it_may_load_and_that_nobody_keeps_or_frames_it(browser: Browser) -> None:
    for path in ("/login", "/v1/me", "/nowhere", "/healthz", "/dev-issuer/keys", "/v1/events"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy, path
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "permissions-policy" in headers
        # It would lock out whatever else runs on loopback.
        assert "strict-transport-security" not in headers


async def test_too_many_signings_in_are_put_off(database: str) -> None:
    async with serving(database, ConsoleSettings(sign_ins_per_minute=3)) as site:
        browser = Browser(site.url)
        async with browser.client:
            for _ in range(3):
                assert (await browser.get("/login")).status_code == 303
            told = await browser.get("/login")
            problem(told, 429)
            assert 0 < int(told.headers["retry-after"]) <= 60


async def test_a_terminal_acts_for_a_person_only_once_they_allow_it(browser: Browser) -> None:
    async with httpx.AsyncClient(base_url=browser.url) as terminal:
        asked = (await terminal.post("/v1/terminal", headers={"origin": browser.url})).json()
        bearer = {"authorization": f"Bearer {asked['token']}"}
        problem(await terminal.get("/v1/me", headers=bearer), 401)
        await browser.sign_in(PROGRAMME)
        page = await browser.get(f"/terminal?code={asked['code']}")
        assert asked["code"] in page.text
        assert asked["token"] not in page.text
        problem(await browser.post("/terminal", {"code": asked["code"], "csrf": "no"}), 403)
        problem(await terminal.get("/v1/me", headers=bearer), 401)
        assert (await browser.post("/terminal", {"code": asked["code"]})).status_code == 200
        assert (await browser.post("/terminal", {"code": asked["code"]})).status_code == 404
        assert (await terminal.get("/v1/me", headers=bearer)).json()["identity"] == PROGRAMME
        assert (await terminal.delete("/v1/session", headers=bearer)).status_code == 204
        problem(await terminal.get("/v1/me", headers=bearer), 401)


async def test_what_allows_a_terminal_is_a_form_and_no_larger_than_one(browser: Browser) -> None:
    """With the token in a header nobody else would have counted its bytes."""
    await browser.sign_in(PROGRAMME)
    secret = browser.client.cookies[SESSION]
    headers = {
        "origin": browser.url,
        "x-csrf-token": csrf_of(secret),
        "content-type": "application/x-www-form-urlencoded",
        "cookie": f"{SESSION}={secret}",
    }
    async with httpx.AsyncClient(base_url=browser.url) as plain:
        problem(await plain.post("/terminal", content=b"code=" + b"A" * 100_000, headers=headers), 413)
        problem(await plain.post("/terminal", content=b"{}", headers=headers | {"content-type": "text/plain"}), 415)


async def test_the_code_of_a_page_cannot_write_into_it(browser: Browser) -> None:
    await browser.sign_in(PROGRAMME)
    page = await browser.get("/terminal", params={"code": "<b>x</b>"})
    assert "<b>x" not in page.text
    assert "&lt;b&gt;" in page.text


def test_the_issuer_for_trying_things_out_stands_beside_no_real_one_and_on_loopback_alone() -> None:
    real = ConsoleSettings(
        oidc_issuer="https://login.example.com",
        oidc_client_id="rollouts",
        public_url="https://rollouts.example.com",
        signing_key=Path("/nowhere"),
    )
    # No gateway: it refuses before there is anything to ask one.
    with listen("127.0.0.1:0") as own, listen("0.0.0.0:0") as open_to_all:
        with pytest.raises(SettingsError, match="not served beside a real one"):
            dev_site(real, own, new_signer(), None)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match="on loopback alone"):
            dev_site(SETTINGS, open_to_all, new_signer(), None)  # type: ignore[arg-type]


async def test_it_vouches_for_its_personas_and_to_its_own_service_alone(browser: Browser) -> None:
    there = (await browser.get("/login")).headers["location"]
    headers = {"origin": browser.url}
    problem(await browser.client.post(there, data={"persona": "stranger@example.com"}, headers=headers), 403)
    problem(await browser.client.post(there, data={"persona": PROGRAMME}, headers={"origin": "http://a.example"}), 403)
    for name in ("redirect_uri", "client_id", "code_challenge", "nonce"):
        wrong = {one: value for one, value in query(there).items() if one != name}
        problem(await browser.get("/dev-issuer/authorize", params=wrong), 400)
    assert SIGN_IN in {one.name for one in browser.client.cookies.jar}
