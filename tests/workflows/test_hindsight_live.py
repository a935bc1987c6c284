"""A whole rollout on real servers, and what is learnt from what it left in the store."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import asyncpg
from temporalio.testing import WorkflowEnvironment

from cli.planfile import parse_plan
from learning.next_cycle import next_cycle
from learning.record import decision_record
from learning.review import closing_review
from models.command import PauseVerdict, Verb
from models.evidence import Verdict
from models.learning import Ending, Judged, Waiting
from models.log import EntryKind, Outcome
from models.metric import MetricName
from models.rollout import Status
from record.plan_text import plan_text
from record.writing import files
from store.hindsight import read_hindsight
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.workflows.live import FACTS_FROM, FACTS_TO, running
from tests.workflows.scenarios import SCENARIOS

SLA = MetricName.LEAD_FOLLOW_UP_SLA


async def test_a_breach_is_judged_and_learnt_from(
    time_skipping: WorkflowEnvironment, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    for change in SCENARIOS["breach_pause_resume"].facts:
        await change(pool)
    async with running(time_skipping, pool, make_plan()) as live:
        await live.confirm_all()
        await live.decide("sponsor")
        await live.until_status(Status.PAUSED)
        [pause] = [one.sequence for one in await live.log() if one.kind is EntryKind.PAUSE]
        said: dict[str, Any] = {"pause": pause, "verdict": PauseVerdict.RIGHT}
        assert (await live.ask(Verb.JUDGE_PAUSE, "finance_owner", **said)).outcome is Outcome.REFUSED
        assert (await live.ask(Verb.JUDGE_PAUSE, "revops_owner", "leads were late", **said)).outcome is Outcome.APPLIED
        await live.days(20)
        await live.ask(Verb.REVIEW, "sponsor", "the desk was short of people")
        await live.days(15)
        await live.ask(Verb.RESUME, "revops_owner", reason="the desk is staffed again")
        await live.until_phase("validate")
        await live.days(2)
        async with pool.acquire() as conn:
            found = await read_hindsight(conn, live.plan.id)
    assert found is not None
    review = closing_review(found.plan, found.log, found.readings)

    assert (found.plan, review.ending) == (live.plan, Ending.OPEN)
    [reviewed] = review.pauses
    assert (reviewed.judged, reviewed.metrics, reviewed.resumed_by) == (Judged.RIGHT, (SLA,), "rev.ops@example.com")
    [limit] = [one for one in review.limits if one.metric is SLA]
    assert limit.distance is not None
    assert limit.distance < 0 < limit.beyond < limit.looks
    assert review.drag.by_reason[Waiting.RESUME] >= timedelta(days=30)
    assert review.drag.moving + review.drag.waited == review.drag.length
    assert review.remarks[0].said == "the desk was short of people"

    written = files(decision_record(found.plan, found.log, found.readings), "en")
    assert "judged right; Rev Ops: right (leads were late)" in written["record.md"]
    assert "<polyline" in written["record.html"] or "<path" in written["record.html"]

    draft = next_cycle(found.plan, found.log, found.readings, today=date(2026, 5, 1))
    assert parse_plan(plan_text(draft.plan, draft.head, draft.reasons), "plan.yaml") == draft.plan
    failed = [one.value for one in found.readings.judged if one.metric is SLA and one.verdict is Verdict.NOT_MET]
    assert failed
    # What failed is nowhere in the draft's baseline: the one that was frozen before it stands.
    [frozen] = [one.value for one in found.readings.baselines if one.cohort == "pilot" and one.metric is SLA]
    assert frozen is not None
    assert draft.reasons["metrics.0.metric"][0].startswith(f"baseline {frozen:.4g}: ")
    assert frozen > max(value for value in failed if value is not None)
