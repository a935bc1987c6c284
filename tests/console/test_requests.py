"""What stands around events: bodies, media types, keys, other addresses, and servers that are away."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from console.app import create_app, open_pool
from store.events.keys import add_key, revoke_key
from tests.console.conftest import SMALL, Sender, assigned, event, problem, refused

MALFORMED = [
    b"",
    b"[",
    b"nothing",
    b"[NaN]",
    b"[Infinity]",
    b'[{"id": "a", "id": "a"}]',
    b'[{"data": {"x": 1, "x": 1}}]',
    b'["\xff"]',
    b'["\\ud800"]',
    b"[" + b"9" * 5000 + b"]",
    b"[" * 9000,
    b"[" * 300 + b"]" * 300,
    b'[{"data": ' + b'{"a": ' * 300 + b"1" + b"}" * 301 + b"]",
    b"\xef\xbb\xbf[]",
    b"[]garbage",
]


async def test_a_body_that_readers_could_understand_differently_is_no_json(sender: Sender) -> None:
    for body in MALFORMED:
        told = problem(await sender.send_raw(body), 400)
        assert told["detail"].startswith("The body is not JSON: "), body[:30]


async def test_bodies_are_bounded_before_they_are_read(sender: Sender) -> None:
    problem(await sender.send_raw(b" " * (SMALL.console_body_bytes + 1)), 413)
    # Without a length stated it is counted as it comes.

    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 1000

    headers = {"content-type": "application/cloudevents-batch+json", "authorization": f"Bearer {sender.key}"}
    problem(await sender.client.post("/v1/events", content=endless(), headers=headers), 413)
    told = problem(await sender.send(*(event("lead.contacted", f"L{n}") for n in range(51))), 413)
    assert "51 events; allowed: 50" in told["detail"]


OTHER_MEDIA = [
    "application/json",
    "text/plain",
    "",
    "application/cloudevents+json; charset=utf-16",
    "nonsense;;;=",
    "a/b/c",
]


async def test_other_media_types_are_refused_with_those_that_are_allowed(sender: Sender) -> None:
    for media in OTHER_MEDIA:
        told = problem(await sender.send_raw(b"[]", content_type=media), 415)
        assert "application/cloudevents+json, application/cloudevents-batch+json" in told["detail"]
    problem(await sender.send_raw(b"[]", content_encoding="gzip"), 415)


async def test_one_event_is_taken_without_a_batch_around_it(sender: Sender) -> None:
    one = "application/cloudevents+json; charset=UTF-8"
    told = await sender.send_raw(json.dumps(assigned("L1")).encode(), content_type=one)
    assert told.json() == {
        "taken": 1,
        "events": [{"index": 0, "id": "lead.assigned L1", "version": 1, "state": "new"}],
    }
    body = problem(await sender.send_raw(json.dumps(assigned("L1") | {"id": 1}).encode(), content_type=one), 422)
    assert body["errors"][0] == {"event": 0, "field": "id", "found": "1", "allowed": "a valid string"}
    assert (await sender.send()).json() == {"taken": 0, "events": []}


async def test_nobody_sends_without_a_key_that_is_in_force(sender: Sender) -> None:
    body = json.dumps([assigned("L1")]).encode()
    mistyped = sender.key[:-1] + ("A" if sender.key[-1] != "A" else "B")
    for header in ("", "Bearer", f"Basic {sender.key}", "Bearer nonsense", f"Bearer {mistyped}"):
        told = await sender.send_raw(body, authorization=header)
        problem(told, 401)
        assert told.headers["www-authenticate"].startswith("Bearer")
    async with sender.pool.acquire() as conn:
        await revoke_key(conn, "crm-live")
    problem(await sender.send_raw(body), 401)
    assert await sender.pool.fetchval("select count(*) from fact_event") == 0


async def test_a_key_opens_its_own_source_and_no_other(sender: Sender) -> None:
    (error,) = await refused(sender, 403, assigned("L1"), assigned("L2", source="erp"))
    assert (error["event"], error["field"], error["found"], error["allowed"]) == (1, "source", "'erp'", "'crm'")
    await sender.states(assigned("L1"))
    async with sender.pool.acquire() as conn:
        other = await add_key(conn, "erp-live", "erp")
    headers = {"authorization": f"Bearer {other}"}
    problem(await sender.client.get("/v1/events/crm/lead.assigned L1", headers=headers), 403)
    problem(await sender.client.get("/v1/events/erp/lead.assigned L1", headers=headers), 404)


async def test_keys_are_kept_as_hashes_and_stand_in_no_log(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    await sender.states(assigned("L1"))
    await refused(sender, 422, assigned("L2", partner_id="P9"))
    secret = sender.key.rpartition("_")[2]
    rows = await sender.pool.fetch("select to_jsonb(k)::text as row, last_used_at from api_key k")
    assert [secret in row["row"] for row in rows] == [False]
    assert rows[0]["last_used_at"] is not None
    assert secret not in caplog.text


async def test_what_was_taken_can_be_looked_at_with_all_its_versions(sender: Sender) -> None:
    await sender.states(assigned("a/b", id="e/1"), assigned("a/b", id="e/1", version=2, partner_id="P2"))
    headers = {"authorization": f"Bearer {sender.key}"}
    told = (await sender.client.get("/v1/events/crm/e%2F1", headers=headers)).json()
    assert (told["id"], told["subject"], told["waits_for"]) == ("e/1", "a/b", None)
    assert [(one["version"], one["state"], one["data"]["partner_id"]) for one in told["versions"]] == [
        (2, "new", "P2"),
        (1, "superseded", "P1"),
    ]
    problem(await sender.client.get("/v1/events/crm/none", headers=headers), 404)
    problem(await sender.client.get("/v1/events/crm/nul%00", headers=headers), 422)
    problem(await sender.client.get("/v1/events/crm/none"), 401)


async def test_other_addresses_and_methods_are_told_in_the_same_form(sender: Sender) -> None:
    problem(await sender.client.get("/v2"), 404)
    told = await sender.client.delete("/v1/events")
    problem(told, 405)
    assert told.headers["allow"] == "POST"


async def test_it_says_whether_it_lives_and_whether_it_can_take_events(sender: Sender) -> None:
    assert (await sender.client.get("/healthz")).json() == {"status": "alive"}
    assert (await sender.client.get("/readyz")).json() == {"status": "ready"}
    await sender.pool.execute("alter table fact_event rename to elsewhere")
    assert (await sender.client.get("/readyz")).status_code == 503


async def test_a_database_that_is_away_or_busy_is_told_as_such_and_to_be_tried_again(database: str) -> None:
    settings = SMALL.model_copy(update={"console_statement_timeout": timedelta(seconds=3)})
    async with await open_pool(database, settings) as pool:
        async with pool.acquire() as conn:
            key = await add_key(conn, "crm-live", "crm")
        transport = httpx.ASGITransport(create_app(pool, settings))
        holder = await asyncpg.connect(database)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            sender = Sender(client, pool, key)
            assert await sender.states(event("lead.contacted", "L1")) == ["waiting"]
            async with holder.transaction():
                await holder.execute("lock fact_subject")
                busy = await sender.send(event("lead.contacted", "L1", id="second"))
            problem(busy, 503)
            assert busy.headers["retry-after"]
            assert await sender.states(event("lead.contacted", "L1", id="second")) == ["waiting"]
        await holder.close()
