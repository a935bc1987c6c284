"""The two plans over real data run through the real workflow to their end, and stand still for what is in the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from cli.plan import read_plan
from cli.players import Players
from examples.history_report import Standstill, Story, phase_rows, read_story, standstill_rows, standstills
from examples.run_history import HISTORIES
from models.letter import only_names
from models.log import LogEntry, Outcome
from models.plan_metric import Threshold
from models.rollout import TERMINAL, RolloutView, Status
from store.intake import ImportReport
from store.pool import create_pool
from tests.examples.by_hand import Count, Requests, Sales
from tests.real_data import ROOT, needs_real_data
from tests.workflows.live import Live, running

# They share two cores with whatever else runs.
pytestmark = [needs_real_data, pytest.mark.timeout(900)]

PLANS = ROOT / "examples" / "plans"
WEEK = timedelta(weeks=1)
"""The cadence of both plans."""

LATEST_END = timedelta(days=2600)
"""Programme time after which a rollout that has come to no end will not."""


class Data:
    """A metric of a plan's cohorts counted by hand, beside the baselines that were frozen."""

    def __init__(self, story: Story, count: Callable[[str, datetime, int], Count]) -> None:
        self._count = count
        self._story = story
        self._metric = story.plan.metrics[0]
        self._baselines = {one.cohort: one.value for one in story.view.baselines}

    def beyond(self, cohort: str, as_of: datetime) -> bool:
        """Whether the cohort lies beyond what was agreed."""
        value = self._count(cohort, as_of, self._metric.window.days).value
        assert value is not None
        return any(not self._holds(limit, value, cohort) for limit in self._metric.thresholds)

    def any_beyond(self, as_of: datetime) -> bool:
        """The same of any cohort that was enrolled by then."""
        return any(self.beyond(cohort, as_of) for cohort in enrolled(self._story, as_of))

    def _holds(self, limit: Threshold, value: float, cohort: str) -> bool:
        at = limit.number if str(limit).startswith(">= ") and "pp" not in str(limit) else None
        base = self._baselines[cohort]
        assert base is not None
        return value >= (at if at is not None else base + limit.number)

    def agrees(self) -> int:
        """Every reading that anything was decided on is what the CSV file gives; how many there are."""
        for baseline in self._story.view.baselines:
            days = self._story.plan.phases.baseline_window.days
            found = self._count(baseline.cohort, baseline.window.end, days)
            assert (baseline.n_partners, baseline.n_facts) == (found.partners, found.facts)
            assert baseline.value == pytest.approx(found.value, abs=1e-6)
        items = [(item, one.as_of) for one in self._story.assessments for item in one.items]
        for item, as_of in items:
            found = self._count(item.cohort, as_of, self._metric.window.days)
            assert (item.n_partners, item.n_facts) == (found.partners, found.facts)
            assert item.value == pytest.approx(found.value, abs=1e-6)
        return len(items)


async def run(plan_id: str, env: WorkflowEnvironment, dsn: str) -> Story:
    """Run an example plan with its owners played, and read what the store keeps of it."""
    plan = read_plan(PLANS / f"{plan_id}.yaml")
    start = datetime.fromisoformat(HISTORIES[plan_id].clock_start).replace(tzinfo=UTC)
    async with (
        await create_pool(dsn, max_size=5) as pool,
        running(env, pool, plan, start=start, slowest=WEEK) as live,
    ):
        story = await read_story(dsn, await play(live, Players(live.plan)))
    assert [entry.sequence for entry in story.entries] == list(range(1, story.view.entries + 1))
    return story


async def play(live: Live, players: Players) -> RolloutView:
    """Owners look every other week."""
    view = await live.view()
    for _ in range(LATEST_END // (2 * WEEK)):
        if view.status in TERMINAL:
            return view
        for act in players.acts(view):
            players.heard(act, await live.ask(act.verb, act.owner.identity, act.reason, **act.fields))
        await live.days(14)
        view = await live.view()
    raise AssertionError(f"still {view.status}: {view.sentence}")


def entered(story: Story) -> list[str]:
    return [one.phase.value if one.wave is None else f"{one.phase.value} {one.wave}" for one in story.view.history]


def enrolled(story: Story, at: datetime) -> list[str]:
    """The cohorts that had been enrolled by a moment."""
    names = [story.plan.cohorts.pilot.name, *(one.name for one in story.plan.cohorts.waves)]
    reached = [one for one in story.view.history if one.phase.value in ("pilot", "scale") and one.entered_at <= at]
    return names[: len(reached)]


def pauses(story: Story) -> list[Standstill]:
    return [one for one in standstills(story.entries) if one.what == "paused"]


def refused_resumes(story: Story, pause: Standstill) -> list[LogEntry]:
    return [
        entry
        for entry in story.entries
        if entry.verb == "resume" and entry.outcome is Outcome.REFUSED
        if pause.since <= entry.programme_at <= (pause.until or entry.programme_at)
    ]


def paused_at_the(look: int, pause: Standstill, data: Data, cohort: str) -> None:
    """So many looks in a row, a week apart, show the cohort beyond, and no more of them."""
    assert pause.cause == "guardrail"
    assert f" of {cohort}: " in pause.why
    assert [data.beyond(cohort, pause.since - WEEK * back) for back in range(look + 1)] == [True] * look + [False]


def resumed_on_evidence(pause: Standstill, data: Data, story: Story) -> datetime:
    """Refused while the data show a breach, granted once a run of them has ended."""
    assert pause.until is not None
    assert pause.ended_by.startswith("resume by ")
    tolerated = story.plan.metrics[0].tolerance.in_a_row
    assert not all(data.any_beyond(pause.until - WEEK * back) for back in range(tolerated + 1))
    assert all(data.any_beyond(entry.programme_at) for entry in refused_resumes(story, pause))
    return pause.until


def cells(rows: Iterable[tuple[str, ...]], phase: str, cohort: str) -> tuple[str, ...]:
    """What the driver's table says of a cohort at the end of a phase."""
    found = [row for row in rows if (row[0], row[3]) == (phase, cohort)]
    assert len(found) == 1
    return found[0]


async def test_reseller_margins_pause_the_pilot_in_2011_and_end_the_rollout_in_2013(
    time_skipping: WorkflowEnvironment, real_database: str, resellers: list[ImportReport]
) -> None:
    story = await run("adventureworks-margin", time_skipping, real_database)
    sales = Sales()
    platinum = sales.north_american("warehouse", "platinum")
    cohorts = {
        "pilot": platinum[:60],
        "control": platinum[60:100],
        "wave-warehouses": sorted({*sales.north_american("warehouse")} - {*platinum[:100]}),
        "wave-value-added": sales.north_american("var"),
        "wave-specialty": sales.north_american("specialty"),
    }
    data = Data(story, lambda cohort, as_of, days: sales.count(cohorts[cohort], as_of, days))
    assert data.agrees() > 30
    clearance, slump = pauses(story)

    # The clearance sale of 2011-11-29, known the day after: a third of the price given away, far below cost.
    assert not data.beyond("pilot", datetime(2011, 11, 29, tzinfo=UTC))
    assert data.beyond("pilot", datetime(2011, 11, 30, tzinfo=UTC))
    assert datetime(2011, 12, 1, tzinfo=UTC) <= clearance.since <= datetime(2011, 12, 15, tzinfo=UTC)
    assert clearance.phase == "pilot"
    assert "-19.18 %, agreed >= -2pp against the baseline" in clearance.why
    paused_at_the(2, clearance, data, "pilot")
    # It leaves the quarter 91 days later, and not before does a resume take effect.
    assert resumed_on_evidence(clearance, data, story) >= datetime(2012, 2, 28, tzinfo=UTC)
    assert "resume by marcus.okafor@example.com" in clearance.ended_by

    # From 2012-12-28 on resellers buy below cost, and the margin never comes back to what was agreed.
    assert not data.beyond("pilot", datetime(2012, 12, 28, tzinfo=UTC))
    assert data.beyond("pilot", datetime(2012, 12, 29, tzinfo=UTC))
    assert datetime(2012, 12, 29, tzinfo=UTC) <= slump.since <= datetime(2013, 1, 13, tzinfo=UTC)
    assert slump.until is not None
    assert all(data.any_beyond(slump.since + WEEK * week) for week in range((slump.until - slump.since) // WEEK))
    assert len(refused_resumes(story, slump)) == slump.refused == 9
    assert slump.ended_by.startswith("stop by ")
    assert story.view.status is Status.STOPPED
    told = [one.message for one in story.entries if not only_names(one)]
    assert told[-1] == "Rollout stopped; cohorts kept: pilot, wave-warehouses"

    # The control cohort was never enrolled and fell as well: the table shows it beside the others.
    rows = phase_rows(story)
    assert cells(rows, "pilot", "pilot")[8] == "met"
    assert cells(rows, "scale wave 2", "pilot")[8] == "not met"
    assert cells(rows, "scale wave 2", "(control)")[8] == "not enrolled"
    assert entered(story) == ["prepare", "pilot", "validate", "scale 1", "scale 2", "close"]


async def test_late_follow_up_pauses_three_winters_and_the_rollout_completes(
    time_skipping: WorkflowEnvironment, real_database: str, cases: list[ImportReport]
) -> None:
    story = await run("boston311-follow-up", time_skipping, real_database)
    requests = Requests()
    cohorts = {one.name: one.partners for one in story.plan.cohort_specs()}
    data = Data(story, lambda cohort, as_of, days: requests.count(cohorts[cohort], as_of, days))
    assert data.agrees() > 80
    winters = pauses(story)
    assert [(one.since.year, one.phase) for one in winters] == [
        (2015, "pilot"),
        (2016, "scale wave 1"),
        (2018, "scale wave 3"),
    ]
    for pause, cohort in zip(winters, ("pilot", "wave-south", "wave-centre"), strict=True):
        assert pause.since.month in (1, 2, 3)
        # Two looks beyond are tolerated, the third pauses.
        paused_at_the(3, pause, data, cohort)
        resumed_on_evidence(pause, data, story)
        assert "resume by luis.ferrer@example.com" in pause.ended_by
        assert set(pause.drivers) <= {partner for name in enrolled(story, pause.since) for partner in cohorts[name]}
        assert pause.drivers
    assert story.view.status is Status.COMPLETED
    assert entered(story) == ["prepare", "pilot", "validate", "scale 1", "scale 2", "scale 3", "close"]

    # The pause of the first winter does not count as time served.
    pilot = story.view.history[1]
    assert pilot.left_at is not None
    assert winters[0].until is not None
    stood_still = winters[0].until - winters[0].since
    assert pilot.left_at - pilot.entered_at >= story.plan.phases.pilot + stood_still

    rows = phase_rows(story)
    assert {row[8] for row in rows if row[0] not in ("prepare", "close")} == {"met", "not enrolled"}
    assert float(cells(rows, "scale wave 3", "wave-centre")[9].split()[0]) < 85
    assert len(standstill_rows(story)) == 3
