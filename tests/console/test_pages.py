"""Pages over HTTP: who sees them, what they say when nobody answers, filters, streams, files, and words of others."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from console.guard import SESSION
from console.pages import live
from console.pages import rollout as pages_of_rollouts
from deploy.embedded.postgres import EmbeddedPostgres
from models.ahead import Ahead
from models.command import Verb
from models.metric import MetricName
from models.rollout import Status
from models.trouble import Trouble
from models.work import RolloutKey
from store.alarms import Found, raise_alarm
from tests.console.stage import GATE, PAUSED, PILOTING, SETTINGS, Stage, signed_in
from tests.console.visitors import Browser, serving
from tests.worker.process import PATIENCE, patiently

SAM, ENA, STRANGER = "sam.sponsor@example.com", "ena.blement@example.com", "nobody@example.com"
HTML = {"accept": "text/html"}
PATHS = (
    "/",
    "/rollouts",
    f"/rollouts/{GATE}",
    f"/rollouts/{GATE}/plan",
    f"/rollouts/{PAUSED}/numbers",
    "/partners",
    "/audit",
    "/system",
)


async def browser(pages: Stage, identity: str = SAM, address: str | None = None) -> Browser:
    found = Browser(address or pages.address)
    found.client.cookies.set(SESSION, await signed_in(pages, identity))
    return found


@pytest.fixture
async def sam(pages: Stage) -> AsyncIterator[Browser]:
    found = await browser(pages)
    yield found
    await found.client.aclose()


def text(html: str) -> str:
    """What is read, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("path", [*PATHS, f"/rollouts/{GATE}/confirm", "/partners.csv", "/live"])
async def test_whoever_has_not_signed_in_is_sent_to_do_so_and_back(pages: Stage, path: str) -> None:
    found = Browser(pages.address)
    answer = await found.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
    assert not answer.text
    await found.client.aclose()


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_says_in_what_language_it_is_and_is_kept_by_nobody(sam: Browser, path: str) -> None:
    for asked, language in (("en", "en"), ("ja", "ja")):
        answer = await sam.get(path, headers={"accept-language": asked})
        assert answer.status_code == 200
        assert answer.headers["content-language"] == language
        assert f'<html lang="{language}">' in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert 'name="csrf"' in answer.text


async def test_the_language_switch_leads_back_and_nowhere_else(sam: Browser) -> None:
    answer = await sam.get("/language/ja?back=/audit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit")
    assert 'lang="ja"' in (await sam.get("/audit")).text
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""):
        assert (await sam.get("/language/en", params={"back": elsewhere})).headers["location"] == "/"


async def test_the_inbox_shows_what_waits_for_this_person_and_nothing_else(pages: Stage, sam: Browser) -> None:
    told = text((await sam.get("/")).text)
    assert "Spring rebate for gold partners" in told
    assert "0 → 12 partners under the new rule" in told
    assert "New lead routing in the north" not in told
    ena = await browser(pages, ENA)
    assert "Nothing waits for you" in text((await ena.get("/")).text)
    await ena.client.aclose()


async def test_a_rollout_in_its_pilot_says_what_happens_next_and_who_must_act(sam: Browser) -> None:
    told = text((await sam.get(f"/rollouts/{PILOTING}")).text)
    assert "Running: Pilot." in told
    assert "Until 4 Feb 2026 00:00 UTC the phase serves its time" in told
    assert "Nobody now." in told


async def test_a_pause_is_explained_with_its_number_before_the_words_of_the_log(sam: Browser) -> None:
    page = (await sam.get(f"/rollouts/{PAUSED}")).text
    told = text(page)
    assert re.search(r"a guardrail was breached : Lead follow-up SLA of pilot is [\d.]+%, agreed ≥ 85", told)
    assert page.index('id="state"') < page.index('id="steps"') < page.index('id="decide"') < page.index('id="metrics"')
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="chart wide"') == 2
    assert page.count("<caption") == 0
    assert 'aria-current="step"' in page


async def test_what_the_numbers_are_made_of_is_one_click_away_state_by_state_and_cohort_by_cohort(
    pages: Stage, sam: Browser
) -> None:
    """Both sides of the value, and all states of the leads: they add up to what was assigned, and to the value."""
    address = f"/rollouts/{PAUSED}/numbers"
    assert f'href="{address}"' in (await sam.get(f"/rollouts/{PAUSED}")).text
    page = (await sam.get(address)).text
    of_sla = page.split('id="lead_follow_up_sla"')[1].split("</section>")[0]
    rows = {
        re.sub(r"<[^>]+>", "", head): [text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL)]
        for head, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', of_sla, re.DOTALL)
    }
    numerator, denominator, met, late, breach = (
        float(rows[name][0].replace(",", "")) for name in ("Numerator", "Denominator", "met", "late", "open_breach")
    )
    assert (numerator, denominator) == (met, met + late + breach)
    # Values are shown to a tenth.
    assert float(rows["Value"][0]) == pytest.approx(100 * met / denominator, abs=0.051)
    assert {"pending", "invalid", "excluded_no_sla", "contact_hours_median", "contact_hours_p90"} <= set(rows)
    assert rows["pending"][-1] == "state, left out: not contacted, and the deadline has not passed"
    assert rows["Definition"][0] == "1"
    head, movers = of_sla.split("Who moved it since the baseline", 1)
    assert len(re.findall(r'<th scope="col" class="num">', head)) == 2, "the pilot and whoever it is compared with"
    assert re.search(r'<th scope="row">P\d+</th><td>pilot</td><td class="num">\N{MINUS SIGN}\d', movers)
    assert "lead P" in movers


async def test_before_anything_is_measured_the_numbers_are_not_there_yet(sam: Browser) -> None:
    assert "Nothing has been measured yet." in text((await sam.get(f"/rollouts/{GATE}/numbers")).text)
    assert (await sam.get("/rollouts/there-is-none/numbers")).status_code == 404


async def test_where_no_worker_answers_the_page_says_so_and_shows_what_the_rollout_last_told(
    pages: Stage, postgres: EmbeddedPostgres
) -> None:
    dsn = await pages.pool.fetchval("select current_database()")
    async with serving(postgres.dsn_for(dsn), SETTINGS) as service:
        alone = await browser(pages, address=service.url)
        for name in (GATE, PAUSED):
            told = text((await alone.get(f"/rollouts/{name}")).text)
            assert "The rollout does not answer now; this is what it last told of itself" in told
            assert "Who must act" in told
        assert "waits for the owners" in text((await alone.get(f"/rollouts/{GATE}")).text)
        assert "Sam Sponsor : Decide “Prepare → Pilot”" in text((await alone.get(f"/rollouts/{GATE}")).text)
        assert "Approve …" not in (await alone.get(f"/rollouts/{GATE}")).text
        assert "Spring rebate" in (await alone.get("/")).text
        assert "No worker asks for work" in text((await alone.get("/system")).text)
        await alone.client.aclose()


async def test_the_page_of_the_system_tells_of_a_rollout_whose_workflow_does_not_go_on(pages: Stage) -> None:
    chain = await pages.pool.fetchval("select chain_id from rollout where rollout_id = $1", GATE)
    key, told = RolloutKey(rollout_id=GATE, chain_id=chain), "the history of run 1 does not begin as it did"
    found = await browser(pages, STRANGER)
    async with pages.pool.acquire() as conn:
        # The one that stands until a person ends it: others the worker's sweep would end, which finds nothing wrong.
        await raise_alarm(conn, key, Found(Trouble.REWRITTEN, f"run {uuid4()}", told))
        ill = text((await found.get("/system")).text)
        await conn.execute("update workflow_alarm set over_at = now() where rollout_id = $1", GATE)
    well = text((await found.get("/system")).text)
    assert ("Not every open rollout has a workflow that goes on" in ill, told in ill) == (True, True)
    assert "Not every open rollout" not in well
    await found.client.aclose()


async def test_somebody_whom_the_plan_does_not_name_reads_everything_and_is_offered_nothing(pages: Stage) -> None:
    found = await browser(pages, STRANGER)
    page = (await found.get(f"/rollouts/{GATE}")).text
    assert "you can read everything here, and decide nothing" in text(page)
    assert "<textarea" not in page
    await found.client.aclose()


async def test_what_others_wrote_is_shown_and_never_run(pages: Stage, sam: Browser) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.at_gate(name, title='<script>alert("title")</script>')
    reason = '<img src=x onerror=alert(1)> "quoted" & <b>bold</b>'
    await pages.ask(name, Verb.PAUSE, "sponsor", reason)
    await pages.recorded(await pages.until(name, Status.PAUSED))
    for path in (f"/rollouts/{name}", f"/rollouts/{name}/plan", "/", "/rollouts", f"/audit?rollout={name}"):
        page = (await sam.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert" in page or path.startswith("/audit")


async def test_rationales_that_are_too_short_are_asked_for_again_and_nothing_is_sent(
    pages: Stage, sam: Browser
) -> None:
    view = await pages.gateway.status(GATE)
    assert view.gate is not None
    form = {
        "verb": "decide",
        "choice": "approve",
        "gate": view.gate.key,
        "evidence_digest": view.gate.digest,
        "plan_digest": view.plan_digest,
        "rationale": " ok ",
    }
    for step in ("confirm", "decide"):
        answer = await sam.post(f"/rollouts/{GATE}/{step}", form)
        assert answer.status_code == 422
        assert "Write at least 10 characters" in text(answer.text)
        assert 'aria-invalid="true"' in answer.text
    assert (await pages.gateway.status(GATE)).entries == view.entries


async def test_a_form_without_the_session_s_token_is_refused(pages: Stage, sam: Browser) -> None:
    before = (await pages.gateway.status(PILOTING)).entries
    form = {"verb": "pause", "rationale": "not from one of our pages", "csrf": "0" * 64}
    assert (await sam.post(f"/rollouts/{PILOTING}/decide", form)).status_code == 403
    assert (await pages.gateway.status(PILOTING)).entries == before


async def test_who_signed_in_too_long_ago_signs_in_again_and_finds_what_they_wrote(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.piloting(name, "Decided after signing in again")
    found = Browser(pages.address)
    await found.sign_in(SAM)
    long_ago = int(time.time()) - 3600
    secret = hashlib.sha256((found.session or "").encode()).digest()
    await pages.pool.execute("update session set auth_time = $1 where sha256 = $2", long_ago, secret)
    form = {"verb": "pause", "rationale": "The invoices of two partners are wrong"}
    answer = await found.post(f"/rollouts/{name}/decide", form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?again=1")
    back = await found.sign_in(SAM, answer.headers["location"])
    assert back.status_code == 303, back.text
    assert back.headers["location"].startswith(f"/rollouts/{name}/confirm?draft=")
    shown = await found.get(back.headers["location"])
    assert "The invoices of two partners are wrong" in shown.text
    assert "Yes: Pause" in shown.text
    again = await found.post(f"/rollouts/{name}/decide", form)
    assert again.headers["location"].startswith(f"/rollouts/{name}/receipts/")
    assert "The invoices of two partners are wrong" in (await found.get(again.headers["location"])).text
    await found.client.aclose()


async def test_sending_a_form_twice_is_one_request(pages: Stage, sam: Browser) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.piloting(name, "Paused once")
    form = {"verb": "pause", "rationale": "pressed twice in a hurry", "request_id": str(uuid4())}
    first, _ = await asyncio.gather(
        sam.post(f"/rollouts/{name}/decide", form), sam.post(f"/rollouts/{name}/decide", form)
    )
    assert first.status_code in (303, 409)
    pauses = [one for one in await pages.gateway.decisions(name) if one.kind.value == "pause"]
    assert len(pauses) == 1


async def test_filters_stand_in_the_address_and_never_fail(sam: Browser) -> None:
    assert GATE in (await sam.get("/rollouts?status=awaiting approval&q=spring")).text
    assert GATE not in (await sam.get("/rollouts?status=paused")).text
    assert PAUSED in (await sam.get("/rollouts?status=paused")).text
    assert "No rollout fulfils these filters" in (await sam.get("/rollouts?q=%25%25")).text
    for odd in ("page=x", "page=-1", "page=99999999999999999999", "status=%00", "q=" + "a" * 5000, "phase=%F0%9F"):
        for path in ("/rollouts", "/audit", "/partners"):
            assert (await sam.get(f"{path}?{odd}")).status_code == 200


async def test_the_audit_page_finds_entries_by_what_they_say(sam: Browser) -> None:
    told = text((await sam.get(f"/audit?rollout={GATE}&kind=decision&actor=sam")).text)
    assert "Sam Sponsor confirmed ownership as sponsor" in told
    assert "Fin Finance" not in told
    assert "No entry fulfils these filters" in text((await sam.get(f"/audit?rollout={GATE}&q=%25")).text)


async def test_the_audit_page_shows_one_rollout_from_both_sources_and_gives_the_rows_as_files(sam: Browser) -> None:
    page = (await sam.get(f"/audit?rollout={GATE}&verb=confirm_ownership&phase=prepare")).text
    told = text(page)
    assert "Sam Sponsor confirmed ownership as sponsor" in told
    assert "told by history, log" in told
    assert "Gate prepare_to_pilot opened" not in told
    query = f"rollout={GATE}&verb=confirm_ownership"
    assert f'href="/audit.csv?{query.replace("&", "&amp;")}&amp;phase=prepare"' in page
    table = await sam.get(f"/audit.csv?{query}")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    head, *rows = csv.reader(io.StringIO(table.text.removeprefix("\ufeff")))
    assert len(rows) == len((await sam.get(f"/audit.json?{query}")).json()) == 6
    assert {row[head.index("source")] for row in rows} == {"history, log"}
    assert (await sam.get(f"/audit.md?{query}")).text.startswith(f"# Timeline of {GATE}")
    assert (await sam.get(f"/audit.json?{query}&until=2001-01-01")).json() == []
    assert "No entry fulfils these filters" in text((await sam.get(f"/audit?rollout={GATE}&since=2199-01-01")).text)


async def test_the_files_of_the_whole_log_have_the_filters_of_the_page(sam: Browser) -> None:
    rows = (await sam.get("/audit.json?verb=confirm_ownership&actor=sam.sponsor")).json()
    assert {row["rollout"] for row in rows} >= {GATE}
    assert {row["who"] for row in rows} == {"sam.sponsor@example.com"}
    assert (await sam.get("/audit.json?verb=confirm_ownership&phase=close")).json() == []
    for odd in ("since=soon", "until=9999-12-31", "until=0000-00-00", "phase=%00", "verb=x"):
        assert (await sam.get(f"/audit.csv?{odd}")).status_code == 200
        assert (await sam.get(f"/audit?{odd}")).status_code == 200


async def test_the_scorecard_greys_what_rests_on_too_few_facts_and_its_file_says_so(pages: Stage, sam: Browser) -> None:
    await pages.pool.execute(
        "insert into partner (partner_id, name, tier, region, source_system, source_id, known_at)"
        " values ('P999', '=HYPERLINK(\"http://evil.example\")', 'bronze', 'south', 'test', 'P999', '2020-01-01Z')"
        " on conflict do nothing"
    )
    page = (await sam.get(f"/partners?rollout={PILOTING}&cohort=pilot")).text
    assert page.count('<th scope="row">') == 12
    assert re.search(r"<strong>100.0%</strong>", page)
    assert "no data" in page
    file = await sam.get("/partners.csv?tier=bronze")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in file.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff")))
    assert row["name"].startswith("'=HYPERLINK")
    assert (row["lead_follow_up_sla"], row["lead_follow_up_sla_enough"]) == ("", "no")
    pilot = await sam.get(f"/partners.csv?rollout={PILOTING}&cohort=pilot")
    rows = list(csv.DictReader(io.StringIO(pilot.text.removeprefix("\ufeff"))))
    assert {row["lead_follow_up_sla"] for row in rows} == {"100.0"}
    assert {row["lead_follow_up_sla_enough"] for row in rows} == {"yes"}


async def test_errors_are_pages_for_people_and_problems_for_machines(sam: Browser) -> None:
    for path in ("/no-such-page", "/rollouts/no-such-rollout"):
        answer = await sam.get(path, headers=HTML)
        assert (answer.status_code, "<h1>Not found</h1>" in answer.text) == (404, True)
    machine = await sam.get("/no-such-page", headers={"accept": "application/json"})
    assert machine.headers["content-type"] == "application/problem+json"


async def test_an_open_page_hears_of_a_change_and_of_no_other_rollout_s(
    pages: Stage, sam: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes until somebody listens, it was just now.
    monkeypatch.setattr(live, "OVERLAP", timedelta(days=1))
    name = f"page-{uuid4().hex[:8]}"
    other = f"page-{uuid4().hex[:8]}"
    await asyncio.gather(pages.at_gate(name), pages.at_gate(other))
    async with _listening(sam, name) as heard:
        assert await heard() == name, "what has changed just now may have done so after the page was read"
        await pages.ask(other, Verb.PAUSE, "sponsor", "nobody listens to this")
        await pages.recorded(await pages.gateway.status(other))
        again = asyncio.create_task(heard())
        await asyncio.sleep(2.5 * live.EVERY)
        assert not again.done()
        await pages.ask(name, Verb.PAUSE, "sponsor", "to be heard of")
        assert await again == name
        # Somebody has been told of it already when another page is opened that was read before.
        async with _listening(sam, name) as late:
            assert await late() == name


@asynccontextmanager
async def _listening(reader: Browser, name: str) -> AsyncIterator[Callable[[], Coroutine[None, None, str]]]:
    """An open page of a rollout; each call waits for the next that it hears of."""
    async with reader.client.stream("GET", f"/live?rollout={name}", timeout=PATIENCE) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()

        async def heard() -> str:
            told = (line.removeprefix("data: ") async for line in lines if line.startswith("data: "))
            return await asyncio.wait_for(anext(told), PATIENCE)

        yield heard


async def test_streams_of_one_person_are_limited_counted_down_and_end_with_the_service(
    pages: Stage, postgres: EmbeddedPostgres
) -> None:
    dsn = postgres.dsn_for(await pages.pool.fetchval("select current_database()"))
    async with serving(dsn, SETTINGS) as service:
        found = await browser(pages, address=service.url)
        opened = [found.client.stream("GET", "/live") for _ in range(live.STREAMS)]
        answers = [await one.__aenter__() for one in opened]
        assert {one.status_code for one in answers} == {200}
        more = await found.get("/live")
        assert (more.status_code, more.headers["retry-after"]) == (429, "30")
        await opened.pop().__aexit__(None, None, None)

        async def taken_again() -> bool | None:
            async with found.client.stream("GET", "/live") as again:
                return again.status_code == 200 or None

        await patiently(taken_again, lambda: "a stream that has ended still counts")
        stopped = time.monotonic()
    # Whoever stops the service does not wait for open pages.
    assert time.monotonic() - stopped < SETTINGS.graceful_shutdown.total_seconds() / 2
    for one in opened:
        await one.__aexit__(None, None, None)
    await found.client.aclose()


async def test_static_files_may_be_kept_for_ever_under_their_own_address(sam: Browser) -> None:
    page = (await sam.get("/")).text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = await sam.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await sam.get("/static/../settings.py")).status_code == 404


async def test_what_is_about_to_breach_stands_on_the_page_of_the_rollout(
    sam: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is so the store is asked with the rights of the service (tests/activities/test_warning.py)."""
    assert "About to breach" not in (await sam.get(f"/rollouts/{PILOTING}")).text
    ahead = Ahead(
        cohort="pilot",
        metric=MetricName.LEAD_FOLLOW_UP_SLA,
        value=97.0,
        agreed=(">= 85",),
        leads=120,
        within=timedelta(hours=4),
        first_due_at=datetime(2026, 2, 9, 14, 59, tzinfo=UTC),
        falls_to=73.7,
        partners=("P1", "P2"),
    )

    async def said(*_: object) -> tuple[Ahead, ...]:
        return ahead, ahead.model_copy(update={"leads": 1, "partners": ("P3",)})

    monkeypatch.setattr(pages_of_rollouts, "about_to_breach", said)
    english = text((await sam.get(f"/rollouts/{PILOTING}", headers={"accept-language": "en"})).text)
    assert "About to breach" in english
    assert (
        "Lead follow-up SLA of pilot: 120 leads that are open are due within 4 business hours, the first at "
        "9 Feb 2026 14:59 UTC. Missed, they take the metric to 73.7%; agreed is ≥ 85. Most are of P1, P2."
    ) in english
    assert "Lead follow-up SLA of pilot: 1 lead is due at 9 Feb 2026 14:59 UTC and open." in english
    japanese = text((await sam.get(f"/rollouts/{PILOTING}", headers={"accept-language": "ja"})).text)
    assert "未対応のリード120件が" in japanese

    async def slow(*_: object) -> tuple[Ahead, ...]:
        raise TimeoutError

    monkeypatch.setattr(pages_of_rollouts, "about_to_breach", slow)
    assert (await sam.get(f"/rollouts/{PILOTING}")).status_code == 200
