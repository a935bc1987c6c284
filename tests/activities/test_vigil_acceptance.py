"""A deadline of acceptance that passes is a reason to look though no fact comes, as one of contact is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import vigil, watching
from activities.agenda import Metrics
from activities.looking import Looker, Seen
from models.command import ReportBreach, ReportEvidence
from models.metric import MetricName
from models.rollout import CohortMembers
from models.work import RolloutKey
from store.changes import next_deadlines
from tests.activities.setting import Pool
from tests.activities.stays import ACCEPTANCE, HOUR, due, first, opened, settled, stay, to_be_accepted
from tests.facts import seed_facts
from tests.plans import PILOT, WAVE_1, WAVE_2

NAME, SLA = MetricName.LEAD_ACCEPTANCE, MetricName.LEAD_FOLLOW_UP_SLA
READS = {"lead": frozenset({SLA, NAME})}


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests see, the watch was told of or knew beforehand."""
    monkeypatch.setattr(watching, "ASK", HOUR)


async def test_a_deadline_of_acceptance_that_passes_breaches_though_no_fact_comes(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    async with settled(facts, dev_server, ACCEPTANCE) as (box, _):
        at = datetime.now(UTC) + timedelta(seconds=4)
        await to_be_accepted(facts, at)
        word = await first(box, ReportBreach)
    assert isinstance(word, ReportBreach)
    assert word.as_of > at
    # None of 120 leads is answered; those before had no deadline of acceptance, and so no part in it.
    assert [type(one) for one in (await box.words())] == [ReportEvidence, ReportBreach]


async def test_one_that_passes_while_nobody_watches_is_found_by_the_next(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    await to_be_accepted(facts, datetime.now(UTC) + HOUR)
    async with settled(facts, dev_server, ACCEPTANCE) as (box, watch):
        await watch.dies()
        assert [type(word) for word in await box.words()] == [ReportEvidence]
        an_hour_later = stay(facts, dev_server, ahead=HOUR)
        await first(box, ReportBreach)
        await an_hour_later.ends()


class Noting(Looker):
    """Looks at nothing, and notes at what it was to look."""

    def __init__(self, pool: Pool, server: WorkflowEnvironment) -> None:
        super().__init__(pool, server.client)
        self.asked: list[Mapping[RolloutKey, Metrics]] = []

    async def look(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> tuple[Seen, ...]:
        self.asked.append(due)
        return tuple(map(Seen, due))


async def test_a_look_at_one_metric_does_not_forget_the_deadline_of_the_other(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lead of each partner is to be accepted a second before its contact is due, another twenty minutes later. The
    first two deadlines have passed, and the watch takes one at a time: whichever has not had its turn still has it."""
    monkeypatch.setattr(vigil, "AT_ONCE", 1)
    setting, looker = await opened(facts, "a-plan", ACCEPTANCE), Noting(facts, dev_server)
    now = setting.clock.real_start + timedelta(seconds=5)
    passes, second = now + timedelta(minutes=20), timedelta(seconds=1)
    await to_be_accepted(facts, passes + timedelta(minutes=20), 1)
    await due(facts, passes, 1)
    earlier = "update lead set accept_due_at = contact_due_at - interval '1 second' where source_id like '%-due-%'"
    await facts.execute(earlier)
    watch = vigil.Vigil(facts, looker, READS, 0, 1)
    await watch.begin(now)
    await watch.round(now)
    assert looker.asked.pop() == {setting.key: None}
    assert watch.next_at == passes - second + vigil.MOMENT
    await watch.round(passes + second)
    assert looker.asked.pop() == {setting.key: frozenset({NAME})}
    await watch.round(passes + second)
    assert looker.asked.pop() == {setting.key: frozenset({SLA})}
    assert watch.next_at == passes + timedelta(minutes=20) + vigil.MOMENT


async def test_of_several_rollouts_and_cohorts_each_deadline_wakes_the_rollout_that_it_is_of(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    """One watches the pilot, the other two waves, of which the second has the first deadline of all."""
    one, other, looker = await opened(facts, "a-plan"), await opened(facts, "b-plan"), Noting(facts, dev_server)
    waves = [CohortMembers(name=name, partners=some) for name, some in (("wave-one", WAVE_1), ("wave-two", WAVE_2))]
    await other.watch(*waves, tolerance_since=other.clock.real_start)
    now = other.clock.real_start + timedelta(seconds=5)
    expected = [(WAVE_2, 10, other), (PILOT, 20, one), (WAVE_1, 30, other)]
    for partners, minutes, _ in expected:
        await due(facts, now + timedelta(minutes=minutes), 1)
        moved = "update lead set partner_id = $1, source_id = $1 || source_id where source_id = $2 || '-due-1'"
        await facts.execute(moved, partners[0], PILOT[0])
        await facts.execute("delete from lead where source_id like 'P%-due-1' and source_id not like 'P%P%'")
    watch = vigil.Vigil(facts, looker, {}, 0, 1)
    await watch.begin(now)
    await watch.round(now)
    assert set(looker.asked.pop()) == {one.key, other.key}
    for _, minutes, setting in expected:
        assert watch.next_at == now + timedelta(minutes=minutes) + vigil.MOMENT
        await watch.round(watch.next_at)
        assert looker.asked.pop() == {setting.key: frozenset({SLA})}


async def test_the_next_deadline_is_of_leads_that_nobody_has_answered(pool: Pool) -> None:
    await seed_facts(pool, date(2026, 1, 1), date(2026, 1, 2))
    start = datetime(2026, 1, 5, tzinfo=UTC)
    answers = ("accepted_at", "rejected_at", "first_contact_at", "reassigned_at", "excluded_at", None)
    for number, answer in enumerate(answers):
        await to_be_accepted(pool, start + timedelta(hours=number), 1)
        await pool.execute("update lead set source_id = $1 || source_id where source_id like 'P%-new-%'", str(number))
        if answer:
            also = ", excluded_reason = 'junk'" if answer == "excluded_at" else ""
            when = f"{answer} = assigned_at{also}"
            await pool.execute(f"update lead set {when} where source_id like $1", f"{number}P%")  # noqa: S608
    fifth, week = start + timedelta(hours=5), timedelta(days=7)
    asked = [(PILOT, start), (PILOT, start + timedelta(hours=6)), (("nobody",), start), (PILOT[:1], start)]
    async with pool.acquire() as conn:
        found = await next_deadlines(conn, asked, NAME)
        contact = await next_deadlines(conn, asked[:1])
        # One that passes at the very moment has not passed yet.
        assert await next_deadlines(conn, [(PILOT, fifth), (PILOT, fifth + vigil.MOMENT)], NAME) == (fifth, None)
        assert await next_deadlines(conn, [(PILOT, start + week)]) == (start + week,)
        assert await next_deadlines(conn, [(PILOT, start + week + timedelta(hours=2))]) == (fifth + week,)
    assert found == (fifth, None, None, fifth)
    # By contact all of them are open that nobody called or took away, the first from the start on.
    assert contact == (start + week,)
