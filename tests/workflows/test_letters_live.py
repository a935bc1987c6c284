"""Letters of real rollouts: what lies in the outbox is what the signed log names, down to the last of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from audit.bundle import LETTERS
from audit.exhibit import Trusted
from audit.findings import Check, Report
from audit.notes import read_vkey
from audit.verify import verify
from cli.audit_export import gather, release
from console.gateway import Gateway
from console.trail import read_timeline
from models.command import Verb
from models.letter import PROGRAMS, letters_of
from models.names import ROLLOUT, rollout_workflow_id
from models.work import RolloutInput
from tests.activities.desk import signer
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.worker.process import patiently
from tests.workflows.live import FACTS_FROM, FACTS_TO, START, Live, running
from tests.workflows.passing import passed
from tests.workflows.scenarios_signed import PATHS

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def examined(live: Live, pool: Pool, vkey: str) -> tuple[Mapping[str, bytes], Report]:
    """The bundle of a rollout, and what an auditor with the key of its log finds."""
    async with pool.acquire() as conn:
        found = await gather(conn, Gateway(live.client), live.plan.id)
    return found.files, verify(found.files, Trusted(log=(read_vkey(vkey),)), release())


def wrong(report: Report) -> list[str]:
    return [one.sentence for one in report.wrong if one.check is Check.LETTERS]


@pytest.mark.parametrize("path", ["happy", "breach_pause_resume"])
async def test_every_letter_in_the_outbox_of_a_rollout_is_the_one_that_its_log_names(
    path: str, time_skipping: WorkflowEnvironment, pool: Pool
) -> None:
    ours = signer()
    async with passed(PATHS[path], time_skipping, pool, signer=ours) as live:
        rows = await pool.fetch("select * from notice where rollout_id = $1", live.plan.id)
        own = [row for row in rows if "/warning/" not in row["notice_id"]]
        files, report = await examined(live, pool, ours.vkey)
        assert wrong(report) == []
        assert report.proven.letters == len(own) > 15
        assert files[LETTERS].count(b"\n") == len(rows)
        assert any("log" in row["about"] for row in own), "some quote a checkpoint"
        async with pool.acquire() as conn:
            told = await read_timeline(Gateway(live.client), conn, live.plan.id)
        assert told.disagreements == ()
        assert sum(row.letters.count("to programs: kept") for row in told.rows) == len(
            {row["notice_id"] for row in rows}
        )

        # Whoever owns the database is found out.
        notice = own[-1]["notice_id"]
        await pool.execute("update notice set body = 'all is well' where notice_id = $1", notice)
        found = wrong((await examined(live, pool, ours.vkey))[1])
        assert "the letter is not the one that the log names" in found[0]
        assert str(notice)[-20:] in found[0]
        await pool.execute("delete from notice where notice_id = $1", notice)
        _, report = await examined(live, pool, ours.vkey)
        assert "a letter that the log names is missing" in wrong(report)[0]


async def test_a_letter_that_was_asked_for_before_the_first_step_is_named_as_well(
    time_skipping: WorkflowEnvironment, pool: Pool
) -> None:
    """A signal that starts a rollout is heard before anything else of it runs."""
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    async with running(time_skipping, pool, make_plan()) as live:
        plan = live.plan.model_copy(update={"id": f"early-{uuid4().hex[:8]}"})
        handle = await live.client.start_workflow(
            ROLLOUT,
            RolloutInput(plan=plan, clock_start=START, clock_speed=1.0),
            id=rollout_workflow_id(plan.id),
            task_queue=(await live.handle.describe()).task_queue,
            start_signal=Verb.PAUSE.value,
            start_signal_args=[live.payload("sponsor", "not before the auditors have been here")],
        )
        early = Live(client=live.client, env=live.env, plan=plan, handle=handle)
        await early.ask(Verb.ACKNOWLEDGE, "sponsor")
        log = await early.log()

        async def written() -> set[str] | None:
            rows = await pool.fetch("select * from notice where (rollout_id, kind) = ($1, 'paused')", plan.id)
            return {row["contact"] for row in rows} or None

        contacts = await patiently(written)
        await handle.terminate()
    [paused] = [one for entry in log for one in letters_of(entry.detail) if one.kind == "paused"]
    assert "not before the auditors" in log[paused.about - 1].message
    assert contacts >= {PROGRAMS, "sam.sponsor@example.com"}
