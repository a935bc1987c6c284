"""The record that was kept when a rollout ended, as a page: byte for byte, and beside one that is made anew."""

from __future__ import annotations

import base64
from hashlib import sha256
from uuid import uuid4

from models.command import Verb
from models.kept import named_in
from models.plan import Fate, StopResolution
from models.rollout import Status
from store.log import read_log
from tests.activities.late import LATE
from tests.console.stage import Stage
from tests.console.test_pages import browser, text

BACK = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)


async def test_the_page_of_the_record_is_the_one_that_was_kept_and_a_fresh_one_is_compared_with_it(
    pages: Stage,
) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.piloting(name, "Kept for good")
    reader = await browser(pages, "fin.finance@example.com")
    before = await reader.get(f"/rollouts/{name}/record")
    assert "Not over yet" in text(before.text)
    assert "Made anew" not in text(before.text)
    assert "Make it anew and compare" not in (await reader.get(f"/rollouts/{name}")).text

    await pages.ask(name, Verb.STOP, "sponsor", resolution=BACK)
    await pages.recorded(await pages.until(name, Status.STOPPED))
    async with pages.pool.acquire() as conn:
        named = named_in(await read_log(conn, name))
    assert named is not None
    for language in ("en", "ja"):
        kept = await reader.get(f"/rollouts/{name}/record", headers={"accept-language": language})
        digest = sha256(kept.content).hexdigest()
        assert digest == named.said.documents[f"{language}/record.html"]
        assert kept.headers["repr-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"
        assert kept.headers["content-security-policy"].startswith("default-src 'none'")
    page = await reader.get(f"/rollouts/{name}")
    assert named.said.documents["en/record.html"] in page.text
    assert f"as of entry {named.said.entries}; entry {named.entry} names it" in text(page.text)

    fresh = await reader.get(f"/rollouts/{name}/record?fresh=1")
    assert f"A record was kept when the rollout ended, as of entry {named.said.entries}." in text(fresh.text)
    assert "Made anew of the same entries, it states the same." in text(fresh.text)
    await pages.pool.execute(LATE, name)
    other = await reader.get(f"/rollouts/{name}/record?fresh=1")
    assert "Made anew of the same entries, it states the same." in text(other.text)
    assert "Readings of before the end that came after it was kept, and are none of its: " in text(other.text)
    await pages.pool.execute(
        "update rollout set plan = jsonb_set(plan, '{rationale}', '\"otherwise\"') where rollout_id = $1", name
    )
    other = await reader.get(f"/rollouts/{name}/record?fresh=1")
    assert "Made anew of the same entries, it states something else: en/" in text(other.text)

    async with pages.pool.acquire() as conn, conn.transaction():
        await conn.execute("alter table kept_document disable trigger user")
        await conn.execute(
            "update kept_document set content = '', sha256 = encode(sha256(''), 'hex')"
            " where (rollout_id, path) = ($1, 'en/record.html')",
            name,
        )
        await conn.execute("alter table kept_document enable trigger user")
    refused = await reader.get(f"/rollouts/{name}/record")
    assert refused.status_code == 409
    assert "en/record.html: it is not what was kept: changed or exchanged" in text(refused.text)
    beside = await reader.get(f"/rollouts/{name}/record?fresh=1")
    assert "What was kept when the rollout ended cannot be shown: en/record.html" in text(beside.text)
    await reader.client.aclose()
