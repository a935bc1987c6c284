"""Plans tried out over made-up worlds: they pause where trouble was planted, wait for who is away, hold for no data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.backtest import End, Outcome
from models.evidence import Verdict
from models.log import EntryKind
from models.metric import MetricName
from models.script import Absence, Habits, Script
from tests.cli.backtest.worlds import SLUMP, WITHOUT_LEADS, backtest, plan, span
from tests.plans import BASE

pytestmark = pytest.mark.timeout(600)

AT_ONCE = Script(answers_after=timedelta(0))


async def test_a_planted_slump_pauses_within_days_and_an_owner_resumes_after_it(slumping: str) -> None:
    found = await backtest(
        slumping, plan(), Script(resume=timedelta(days=5), resume_again=timedelta(days=2)), span("2025-05-12", 95)
    )
    pause = found.pauses[0]
    assert SLUMP.start + timedelta(days=2) <= pause.since <= SLUMP.start + timedelta(days=10)
    assert (pause.cause, pause.phase, pause.must_act) == ("guardrail", "pilot", ("revops_owner",))
    [breach] = pause.breaches
    assert (breach.metric, breach.cohort) == (MetricName.LEAD_FOLLOW_UP_SLA, "pilot")
    assert breach.value is not None
    assert breach.value < 85
    assert pause.refused >= 1
    assert pause.ended == "resumed"
    assert pause.by == "rev.ops@example.com"
    assert pause.until is not None
    assert pause.until > SLUMP.end
    assert found.drag.paused == pytest.approx(sum(one.days for one in found.pauses), abs=0.1)
    assert pause.refused == sum("Resume refused" in one.message for one in found.log)


async def test_a_calm_stretch_completes_and_says_whom_each_gate_waited_for(slumping: str) -> None:
    quick = plan(phases={**BASE["phases"], "pilot": "14d"})
    script = Script(answers_after=timedelta(days=1), owners={"finance_owner": Habits(approve=timedelta(days=3))})
    found = await backtest(slumping, quick, script, span("2025-04-07", 60))
    assert found.end is End.COMPLETED
    assert not found.pauses
    gates = {one.key: one for one in found.gates}
    assert set(gates) == {"ownership", "prepare_to_pilot", "validate_to_scale"}
    assert all(one.outcome is Outcome.PASSED for one in found.gates)
    assert gates["ownership"].days == pytest.approx(1, abs=0.1)
    validated = gates["validate_to_scale"]
    assert {one.role for one in validated.answers} == {"sponsor", "compliance_owner"}, "two suffice: the quick ones"
    assert validated.days == pytest.approx(1, abs=0.1)
    assert found.through < datetime(2025, 5, 20, tzinfo=UTC)
    assert not any(one.kind is EntryKind.REFUSAL for one in found.log)


async def test_a_gate_that_nobody_answers_waits_to_the_end(slumping: str) -> None:
    away = Script(answers_after=timedelta(0), owners={"sponsor": Habits(absent=True)})
    found = await backtest(slumping, plan(), away, span("2025-04-07", 12))
    assert found.end is End.WAITS
    [ownership] = found.gates
    assert (ownership.outcome, ownership.missing) == (Outcome.OPEN, ("sam.sponsor@example.com",))
    assert ownership.days == found.drag.people == 12


async def test_an_owner_who_is_away_for_a_while_answers_on_coming_back(slumping: str) -> None:
    back = datetime(2025, 4, 21, tzinfo=UTC)
    absence = Absence(since=datetime(2025, 4, 8, tzinfo=UTC).date(), back=back.date())
    script = Script(
        answers_after=timedelta(days=1), confirm=timedelta(0), owners={"sponsor": Habits(absent=(absence,))}
    )
    found = await backtest(slumping, plan(), script, span("2025-04-07", 21))
    gate = next(one for one in found.gates if one.key == "prepare_to_pilot")
    assert gate.outcome is Outcome.PASSED
    assert gate.until is not None
    assert back <= gate.until < back + timedelta(hours=1)
    assert gate.overdue, "it was due after a week"
    assert any(one.kind == "approval overdue" and one.until is not None for one in found.holds)
    assert found.end is End.UNFINISHED


async def test_a_month_without_data_holds_and_says_why_and_never_passes(interrupted: str) -> None:
    found = await backtest(interrupted, plan(), AT_ONCE, span("2025-04-21", 50))
    silent = [one for one in found.silences if one.metric is MetricName.LEAD_FOLLOW_UP_SLA]
    assert {one.cohort for one in silent} == {"pilot"}
    assert all(one.verdict in (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE) and one.reasons for one in silent)
    first = silent[0].since.date()
    assert WITHOUT_LEADS[0] < first <= WITHOUT_LEADS[0] + timedelta(days=9), "a week's data count as current"
    assert sum(one.days for one in silent) > 20
    [course] = [one for one in found.metrics if one.metric is MetricName.LEAD_FOLLOW_UP_SLA and one.cohort == "pilot"]
    dark = [verdict for at, _, verdict in course.looks if first <= at.date() < WITHOUT_LEADS[1]]
    assert dark
    assert Verdict.MET not in dark
    hold = next(one for one in found.holds if one.kind == "evidence")
    assert "lead" in hold.detail.lower()
    assert not any(one.phase == "validate" for one in found.log if one.programme_at.date() < WITHOUT_LEADS[1])


async def test_owners_who_have_seen_enough_stop_it(slumping: str) -> None:
    script = Script(answers_after=timedelta(days=2), confirm=timedelta(0), approve=timedelta(0), stop_after=2)
    found = await backtest(slumping, plan(), script, span("2025-05-12", 50))
    assert found.end is End.STOPPED
    [pause] = found.pauses
    assert (pause.refused, pause.ended, pause.by) == (2, "stopped", "sam.sponsor@example.com")
    assert found.through < SLUMP.end
