"""The resellers' plan tried out over their real sales: it pauses in the month in which the margin fell."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cli.plan import read_plan
from models.metric import MetricName
from models.script import Script
from store.intake import ImportReport
from tests.cli.backtest.worlds import backtest, span
from tests.real_data import ROOT, needs_real_data

pytestmark = [needs_real_data, pytest.mark.timeout(900)]


async def test_the_margin_s_fall_in_november_2011_pauses_it(real_database: str, resellers: list[ImportReport]) -> None:
    tried = read_plan(ROOT / "examples" / "plans" / "adventureworks-margin.yaml")
    script = Script(answers_after=timedelta(days=2), resume_again=timedelta(days=14))
    found = await backtest(real_database, tried, script, span("2011-07-01", 270))
    [pause] = found.pauses
    assert datetime(2011, 12, 1, tzinfo=UTC) <= pause.since < datetime(2011, 12, 15, tzinfo=UTC)
    [breach] = pause.breaches
    assert (breach.metric, breach.cohort) == (MetricName.CONTRIBUTION_MARGIN, "pilot")
    assert breach.value is not None
    assert breach.value == pytest.approx(-19.18, abs=0.01)
    assert pause.refused > 0
    assert pause.ended == "resumed"
    assert pause.until is not None
    assert pause.until.date() > date(2012, 2, 15)
    course = next(one for one in found.metrics if one.cohort == "pilot")
    first_bad = next(at for at, value, _ in course.looks if value is not None and value < 0)
    assert first_bad <= pause.since, "the first reading beyond is tolerated, the next one pauses"
