"""The two plans over real data run through the real workflow to their end, and stand still for what is in the data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from cli.plan import read_plan
from cli.players import Players
from examples.history_report import Standstill, Story, read_story, standstills
from examples.run_history import HISTORIES
from models.log import LogEntry, Outcome
from models.rollout import TERMINAL, RolloutView, Status
from store.intake import ImportReport
from store.pool import create_pool
from tests.examples.by_hand import Count, Requests, Sales
from tests.real_data import ROOT, needs_real_data
from tests.workflows.live import Live, running

pytestmark = needs_real_data

PLANS = ROOT / "examples" / "plans"
WEEK = timedelta(days=7)


def looks(count: int) -> timedelta:
    """So many looks at the plans' cadence, and a day for the watch and the rollout to do their part."""
    return WEEK * count + timedelta(days=1)


LATEST_END = 2600
"""Days after which a rollout that has come to no end will not."""


async def run(plan_id: str, env: WorkflowEnvironment, dsn: str) -> Story:
    """Run an example plan with its owners played, and read what the store keeps of it."""
    plan = read_plan(PLANS / f"{plan_id}.yaml")
    start = datetime.fromisoformat(HISTORIES[plan_id].clock_start).replace(tzinfo=UTC)
    async with await create_pool(dsn, max_size=5) as pool, running(env, pool, plan, start=start, slowest=WEEK) as live:
        view = await _play(live, Players(live.plan))
        return await _whole_story(dsn, view)


async def _play(live: Live, players: Players) -> RolloutView:
    """Owners look once a week, and more often only while there is something to do."""
    view = await live.view()
    for _ in range(LATEST_END // WEEK.days):
        if view.status in TERMINAL:
            return view
        for act in players.acts(view):
            players.heard(act, await live.ask(act.verb, act.owner.identity, act.reason, **act.fields))
        await live.days(WEEK.days)
        view = await live.view()
    raise AssertionError(f"still {view.status}: {view.sentence}")


async def _whole_story(dsn: str, view: RolloutView) -> Story:
    story = await read_story(dsn, view)
    assert [entry.sequence for entry in story.entries] == list(range(1, view.entries + 1))
    return story


def agree_by_hand(story: Story, count: Callable[[str, datetime, int], Count]) -> None:
    """Every reading that anything was decided on: value, partners and facts as counted from the CSV file."""
    window = story.plan.metrics[0].window.days
    for baseline in story.view.baselines:
        found = count(baseline.cohort, baseline.window.end, story.plan.phases.baseline_window.days)
        assert (baseline.n_partners, baseline.n_facts) == (found.partners, found.facts)
        assert baseline.value == pytest.approx(found.value, abs=1e-6)
    for assessment in story.assessments:
        for item in assessment.items:
            found = count(item.cohort, assessment.as_of, window)
            assert (item.n_partners, item.n_facts) == (found.partners, found.facts)
            assert item.value == pytest.approx(found.value, abs=1e-6)


def entered(story: Story) -> list[str]:
    return [one.phase.value if one.wave is None else f"{one.phase.value} {one.wave}" for one in story.view.history]


def pauses(story: Story) -> list[Standstill]:
    return [one for one in standstills(story.entries) if one.what == "paused"]


def refused_resumes(story: Story, pause: Standstill) -> list[LogEntry]:
    return [
        entry
        for entry in story.entries
        if entry.verb == "resume" and entry.outcome is Outcome.REFUSED
        if pause.since <= entry.programme_at <= (pause.until or entry.programme_at)
    ]


def first_beyond(start: datetime, until: datetime, beyond: Callable[[datetime], bool]) -> datetime:
    """The first midnight by which the data show it."""
    while not beyond(start):
        start += timedelta(days=1)
        assert start < until
    return start


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
    agree_by_hand(story, lambda cohort, as_of, days: sales.count(cohorts[cohort], as_of, days))

    def beyond(cohort: str, as_of: datetime) -> bool:
        base = next(one.value for one in story.view.baselines if one.cohort == cohort)
        value = sales.count(cohorts[cohort], as_of, 91).value
        return base is not None and value is not None and value < base - 2

    clearance, slump = pauses(story)
    # The clearance sale of 2011-11-29: more than the margin of a quarter given away in a day.
    since = first_beyond(
        datetime(2011, 9, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC), lambda at: beyond("pilot", at)
    )
    assert since == datetime(2011, 11, 30, tzinfo=UTC)
    assert since <= clearance.since <= since + looks(2)
    assert clearance.phase == "pilot"
    assert "-19.18 %, agreed >= -2pp against the baseline" in clearance.why
    assert clearance.until is not None
    # It has left the quarter 91 days later; not before, and then by the finance owner's word.
    assert clearance.until >= datetime(2012, 2, 28, tzinfo=UTC)
    assert not beyond("pilot", clearance.until)
    assert "resume by marcus.okafor@example.com" in clearance.ended_by
    assert all(beyond("pilot", one.programme_at) for one in refused_resumes(story, clearance))
    # From 2012-12-28 on resellers sell below cost, and it never comes back to what was agreed.
    assert datetime(2012, 12, 29, tzinfo=UTC) <= slump.since <= datetime(2012, 12, 29, tzinfo=UTC) + looks(2)
    assert len(refused_resumes(story, slump)) == 9
    assert slump.until is not None
    assert story.view.status is Status.STOPPED
    assert "stop by" in slump.ended_by
    assert entered(story) == ["prepare", "pilot", "validate", "scale 1", "scale 2", "close"]


async def test_late_follow_up_pauses_three_winters_and_the_rollout_completes(
    time_skipping: WorkflowEnvironment, real_database: str, cases: list[ImportReport]
) -> None:
    story = await run("boston311-follow-up", time_skipping, real_database)
    requests = Requests()
    cohorts = {one.name: one.partners for one in story.plan.cohort_specs()}
    agree_by_hand(story, lambda cohort, as_of, days: requests.count(cohorts[cohort], as_of, days))
    print(
        entered(story),
        [
            (str(p.since), str(p.until), p.phase, p.why[:200], p.ended_by[:100], len(refused_resumes(story, p)))
            for p in pauses(story)
        ],
    )
    assert story.view.status is Status.COMPLETED
