"""A cohort that is heard of through one source: when that falls silent, the others do not speak for it."""

from __future__ import annotations

from datetime import date

import pytest

from models.evidence import MetricAssessment, Verdict
from models.quality import Check, Severity
from tests.activities.setting import DAY, START, Pool, Setting
from tests.activities.test_quality import judged
from tests.activities.whole import WholeEffects, WholeMetrics
from tests.facts import seed_facts
from tests.plans import PILOT, make_plan


@pytest.fixture
def metrics(pool: Pool) -> WholeMetrics:
    return WholeMetrics(pool)


async def sla_of_the_pilot(pool: Pool, metrics: WholeMetrics, silent_days: int) -> MetricAssessment:
    """After four weeks in a source of its own that is new, so that nothing says yet what it usually tells; its last
    lead is so old."""
    await seed_facts(pool, date(2025, 9, 1), date(2026, 5, 1))
    setting = await Setting(pool, make_plan()).register()
    await WholeEffects.of_the_store(pool).resolve_cohorts(setting.resolving())
    at = START + 28 * DAY
    await pool.execute(
        "delete from lead where partner_id = any ($1) and (assigned_at < $2 or assigned_at >= $3)",
        PILOT,
        START + 3 * DAY,
        at - silent_days * DAY,
    )
    await pool.execute("update lead set source_system = 'crm-north' where partner_id = any ($1)", PILOT)
    return (await judged(setting, metrics, setting.fetching(at))).items[0]


@pytest.mark.parametrize(("silent_days", "verdict"), [(7, Verdict.MET), (8, Verdict.NO_EVIDENCE)])
async def test_a_silent_source_is_no_evidence_however_lively_those_of_other_partners_are(
    pool: Pool, metrics: WholeMetrics, silent_days: int, verdict: Verdict
) -> None:
    """Seven days are agreed. All other partners' leads are twelve hours old, and what there is of the pilot's is in
    time: 12 a day."""
    item = await sla_of_the_pilot(pool, metrics, silent_days)
    assert (item.value, item.n_facts, item.data_current) == (100.0, 12 * (25 - silent_days), True)
    ((severity, found),) = [(one.severity, one.found) for one in item.quality if one.check is Check.FRESHNESS]
    assert (item.verdict, severity) == (verdict, Severity.GREEN if verdict is Verdict.MET else Severity.RED)
    last = (START + (27 - silent_days) * DAY).date()
    assert found == f"source crm-north, of 12 of 12 partners, tells nothing after {last}"
