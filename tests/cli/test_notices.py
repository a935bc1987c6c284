"""rollouts notices: who was written to, what stands in the way, and asking for it to be tried again."""

from __future__ import annotations

from typing import Any

import asyncpg

from cli.home import Place
from cli.output import Exit
from tests.cli.conftest import Rollout, Terminal
from tests.worker.process import patiently


async def test_the_letters_of_a_rollout_are_listed_and_what_was_refused_is_tried_again(
    terminal: Terminal, rollout: Rollout
) -> None:
    await rollout.to_gate()
    await rollout.at_rest()

    async def sent() -> list[dict[str, Any]] | None:
        letters = await _listed(terminal, rollout)
        asked = any(one["kind"] == "awaiting" for one in letters)
        return letters if asked and all(one["state"] in ("sent", "kept") for one in letters) else None

    letters = await patiently(sent)
    asked = {one["contact"] for one in letters if one["kind"] == "awaiting"}
    assert asked == {rollout.who("sponsor"), "*"}
    assert {one["state"] for one in letters if one["contact"] == "*"} == {"kept"}, "there are no webhooks"
    assert {tuple(one["delivered"]) for one in letters if one["contact"] != "*"} == {("maildir",)}
    told = await terminal("notices", rollout.name, "--open")
    assert (told.code, told.out, told.err) == (Exit.OK, "", "No such letter.\n")

    conn = await asyncpg.connect(Place(terminal.home).dsn)
    try:
        await conn.execute(
            "update notice set sent_at = null, delivered = '{}', refused = '{smtp}', refused_at = now(), "
            "problem = 'smtp: 550 no such person' where rollout_id = $1 and kind = 'awaiting' and contact <> '*'",
            rollout.name,
        )
    finally:
        await conn.close()
    told = await terminal("notices", rollout.name, "--open")
    assert told.code == Exit.ERROR
    (head, line) = told.out.splitlines()
    assert head.split() == ["at", "rollout", "notice", "to", "state", "channels", "problem"]
    for part in (rollout.name, "awaiting", rollout.who("sponsor"), "refused", "smtp: 550 no such person"):
        assert part in line
    told = await terminal("notices", rollout.name, "--retry", "--open")
    assert told.out.splitlines()[-1] == "1 letter is tried again."
    await patiently(sent)


async def _listed(terminal: Terminal, rollout: Rollout) -> list[dict[str, Any]]:
    told = await terminal("notices", rollout.name, "-o", "json")
    assert (told.code, told.document["kind"]) == (Exit.OK, "notices"), told.err
    found: list[dict[str, Any]] = told.data
    return found
