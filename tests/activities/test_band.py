"""Through activities and watch: a value far from all that a rollout's earlier looks found holds, and says so."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import date

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.delivery import Delivery
from activities.watching import WatchActivities
from judgement.band import LOOKED_BACK
from models.command import Command, ReportBreach, ReportEvidence
from models.evidence import Assessment, Verdict
from models.quality import Earlier
from store.evidence import PastAsked, earlier_values, read_measured
from tests.activities.mailbox import workflow_of
from tests.activities.setting import DAY, MARGIN, PILOT_COHORT, SLA, START, Pool, Setting
from tests.activities.test_watching import tick
from tests.activities.whole import WholeMetrics
from tests.facts import slump
from tests.plans import PILOT

MARGIN_ITEM = 1


@pytest.fixture
def metrics(pool: Pool) -> WholeMetrics:
    return WholeMetrics(pool)


async def look(setting: Setting, metrics: WholeMetrics, day: float) -> Assessment:
    """A rollout's own look, so many days after the start."""
    snapshot = await metrics.fetch_metrics(setting.fetching(START + day * DAY))
    return await metrics.assess_thresholds(setting.assessing(snapshot.digest))


async def half_the_costs_are_lost(pool: Pool) -> None:
    """Of four weekly sales of 100 at 70 in each window two have no cost: 140 of 400 spent, which is 65 % for 30."""
    await pool.execute("create table lost as select * from partner_cost where extract(week from recognised_on) % 2 = 1")
    await pool.execute("delete from partner_cost where extract(week from recognised_on) % 2 = 1")


async def they_are_found(pool: Pool) -> None:
    await pool.execute("insert into partner_cost select * from lost")


async def test_a_margin_that_doubles_from_one_look_to_the_next_holds_and_passes_again_when_the_facts_are_there(
    setting: Setting, metrics: WholeMetrics
) -> None:
    """Around 30 % with a spread of 2, 65 % is 17.5 of them away."""
    for day in range(5):
        assert (await look(setting, metrics, day)).items[MARGIN_ITEM].verdict is Verdict.MET
    await half_the_costs_are_lost(setting.pool)
    item = (await look(setting, metrics, 5)).items[MARGIN_ITEM]
    assert (item.value, item.verdict, item.untrusted) == (pytest.approx(65.0), Verdict.CANNOT_TELL, True)
    assert item.reasons[0].startswith(
        "data not to be trusted: 65.00 lies 17.5 spreads of 2.00 from 30.00, the median of 5 earlier looks: amber"
    )
    assert await beyond(setting, 5) is None
    await they_are_found(setting.pool)
    assert (await look(setting, metrics, 6)).items[MARGIN_ITEM].verdict is Verdict.MET


async def beyond(setting: Setting, day: int) -> bool | None:
    found: bool | None = await setting.pool.fetchval(
        "select beyond from judged_reading where metric = $1 and as_of = $2", MARGIN.value, START + day * DAY
    )
    return found


async def test_what_is_usual_is_sealed_with_the_snapshot_and_the_same_when_it_is_read_again(
    setting: Setting, metrics: WholeMetrics
) -> None:
    """Evidence without earlier looks says nothing of them, and keeps the digest that it always had."""
    digests = [(await look(setting, metrics, day)).snapshot_digest for day in range(5)]
    async with setting.pool.acquire() as conn:
        kept = [await read_measured(conn, setting.key, digest) for digest in digests]
    found = [{reading.metric: reading.quality.earlier for reading in one.snapshot.readings} for one in kept if one]
    assert found[:4] == [{SLA: None, MARGIN: None}] * 4
    assert found[4][MARGIN] == Earlier(looks=4, usual=30.0, spread=2.0)
    assert kept[0] is not None
    assert "earlier" not in kept[0].snapshot.readings[0].quality.model_dump()
    # Looks that came later do not change what was known then.
    assert [(await look(setting, metrics, day)).snapshot_digest for day in range(5)] == digests


async def test_only_looks_before_the_moment_with_evidence_count_and_one_a_day(
    setting: Setting, metrics: WholeMetrics
) -> None:
    """Three looks on the first day are one, the last of them; one without evidence is none; nor is that of the moment
    itself, nor one of another rollout."""
    for day in (0, 0.25, 0.5, 1, 2, 3):
        await look(setting, metrics, day)
    await setting.pool.execute("update judged_reading set verdict = 'no evidence' where as_of = $1", START + DAY)
    asked = PastAsked(setting.key, START + 3 * DAY - LOOKED_BACK, START + 3 * DAY)
    other = PastAsked(setting.key.model_copy(update={"rollout_id": "another"}), *asked[1:])
    async with setting.pool.acquire() as conn:
        found = await earlier_values(conn, [asked, other], [SLA])
    assert [at for at, _ in found[setting.key]["pilot", SLA]] == [START + DAY / 2, START + 2 * DAY]
    assert (set(found[setting.key]), found[other.key]) == ({("pilot", SLA)}, {})


async def _words_of_the_watch(
    setting: Setting, pool: Pool, dev_server: WorkflowEnvironment, happens: Awaitable[None]
) -> Sequence[Command]:
    """What the watch tells after five quiet days, and a sixth before which something happens."""
    watch = WatchActivities(pool, dev_server.client, Delivery(pool, ()))
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting) as box:
        for day in range(5):
            await tick(watch, day)
        await happens
        await tick(watch, 5)
        return await box.words()


async def test_the_watch_takes_it_for_no_pass_either_and_tells_of_the_change(
    setting: Setting, pool: Pool, dev_server: WorkflowEnvironment
) -> None:
    words = await _words_of_the_watch(setting, pool, dev_server, half_the_costs_are_lost(pool))
    assert [one.reason for one in words if isinstance(one, ReportEvidence) and one.changed] == [
        "2 met",
        "1 met, 1 cannot tell",
    ]


async def test_a_guardrail_that_collapses_between_two_looks_is_told_as_the_breach_that_it_is(
    setting: Setting, pool: Pool, dev_server: WorkflowEnvironment
) -> None:
    """Every lead of five weeks was late after all: from 100 % to 0, and nobody waits whether it stays."""
    happens = slump(pool, PILOT, date(2026, 1, 1), date(2026, 2, 20))
    words = await _words_of_the_watch(setting, pool, dev_server, happens)
    breach = [word for word in words if isinstance(word, ReportBreach)]
    assert [one.metric for one in breach] == [SLA]
    assert "beyond" in breach[0].reason
