"""What is due stays due, whatever goes wrong in between: nothing that was not looked at is taken for dealt with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities import vigil
from activities.agenda import EVERYTHING, Metrics
from activities.looking import Looker, Seen
from activities.vigil import AFTER_FAILURE, BEHIND, MOMENT, NOTE, OFTEN, WITHOUT_WORKFLOW, Vigil
from models.metric import MetricName
from models.rollout import CohortMembers
from models.work import RolloutKey
from store.marks import WatchMark, write_marks
from tests.activities.setting import DAY, PILOT_COHORT, Pool, Setting
from tests.activities.stays import HOUR, opened
from tests.plans import PILOT, WAVE_1, make_plan

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SLA, MARGIN = frozenset({MetricName.LEAD_FOLLOW_UP_SLA}), frozenset({MetricName.CONTRIBUTION_MARGIN})
READS = {"lead": SLA, "partner_cost": MARGIN, "fx_rate": MARGIN}
A_LEAD = """
insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at)
values ('test', $3, $1, $2::timestamptz - interval '1 day', $2, $2::timestamptz - interval '1 day')
"""


class Trying(Looker):
    """Looks at nothing; notes at what it was to look, and fails where it is told to."""

    def __init__(self, pool: Pool, server: WorkflowEnvironment) -> None:
        super().__init__(pool, server.client)
        self.asked: list[dict[str, Metrics]] = []
        self.fails = self.gone = False

    async def look(self, due: Mapping[RolloutKey, Metrics], real_now: datetime) -> tuple[Seen, ...]:
        if due:
            self.asked.append({key.rollout_id: metrics for key, metrics in due.items()})
        return tuple(Seen(key, failed=self.fails, gone=self.gone) for key in due)


@pytest.fixture
def looker(pool: Pool, dev_server: WorkflowEnvironment) -> Trying:
    return Trying(pool, dev_server)


class Begun(NamedTuple):
    """A watch that has looked at each of its rollouts, which began to be watched at `now`."""

    watch: Vigil
    now: datetime


@pytest.fixture
async def begun(pool: Pool, looker: Trying) -> Begun:
    setting = await opened(pool, "one")
    watch, now = another(pool, looker), setting.clock.real_start
    await watch.begin(now)
    await watch.round(now)
    assert looker.asked.pop() == {"one": EVERYTHING}
    return Begun(watch, now)


def another(pool: Pool, looker: Looker) -> Vigil:
    """A watch on another worker."""
    return Vigil(pool, looker, READS, 0, 1)


async def changed(pool: Pool, facts: str, about: str | None = PILOT[0], known: datetime | None = None) -> None:
    await pool.execute("insert into watch_change (facts, about, horizon) values ($1, $2, $3)", facts, about, known)


async def lead(pool: Pool, at: datetime, partner: str = PILOT[0]) -> None:
    """One that nobody has contacted, due at a moment; nobody is told of it."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("set local session_replication_role = replica")
        await conn.execute(A_LEAD, partner, at, f"{partner} {at}")


async def looked_at(pool: Pool, now: datetime, *names: str) -> None:
    """As the marks say it of these rollouts: all of them are known well, and no look at everything is due."""
    mark = WatchMark(evaluated_at=now, told_at=now)
    async with pool.acquire() as conn:
        await write_marks(conn, {RolloutKey(rollout_id=name, chain_id="chain-1"): mark for name in names})


async def is_written_down(pool: Pool) -> bool:
    """Whether the watch's place is past every change there was."""
    found: bool = await pool.fetchval(
        "select not exists (select from watch_change where xid >= (select position from watch_position))"
    )
    return found


# What fails in the middle.


@pytest.mark.parametrize("missing", ["rollout", "lead"])
async def test_a_watch_that_could_not_begin_begins_anew(pool: Pool, looker: Trying, begun: Begun, missing: str) -> None:
    """The database fails when it has said where the watch stands, and not yet whom to look after, or their deadlines:
    who took that for a beginning would look after nobody."""
    await lead(pool, begun.now + HOUR / 2)
    await looked_at(pool, begun.now, "one")
    watch, now = another(pool, looker), begun.now + MINUTE
    await pool.execute(f"alter table {missing} rename to away")
    with pytest.raises(ApplicationError):
        await watch.begin(now)
    await pool.execute(f"alter table away rename to {missing}")
    await watch.begin(now)
    assert (watch.looked_after, watch.next_at) == (1, begun.now + HOUR / 2 + MOMENT)


async def test_a_round_that_could_not_be_ended_is_repeated(pool: Pool, looker: Trying, begun: Begun) -> None:
    """It has read the journal and looked, and could not say when the next deadline passes."""
    watch, now = begun.watch, begun.now + MINUTE
    await looked_at(pool, begun.now, "one")
    await changed(pool, "lead")
    await lead(pool, begun.now + HOUR)
    await pool.execute("alter table lead rename to away")
    with pytest.raises(ApplicationError):
        await watch.round(now)
    with pytest.raises(RuntimeError, match="begin first"):
        await watch.round(now)
    await pool.execute("alter table away rename to lead")
    await watch.begin(now)
    await watch.round(now)
    assert looker.asked == [{"one": SLA}] * 2
    assert watch.next_at == begun.now + HOUR + MOMENT


async def test_who_takes_a_watch_up_again_after_another_one_knows_what_that_one_was_told(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """What it remembers is of before, and the journal has been emptied since."""
    other, now = another(pool, looker), begun.now + 2 * NOTE
    await opened(pool, "two")
    await other.begin(now)
    await other.round(now)
    assert await pool.fetchval("select count(*) from watch_change") == 0
    await begun.watch.begin(now)
    await begun.watch.round(now)
    assert begun.watch.looked_after == 2


# What a look that failed leaves owing.


@pytest.mark.parametrize(
    ("failing", "owed"),
    [
        ([(DAY, None), (DAY + SECOND, "lead")], EVERYTHING),
        ([(DAY - SECOND, "lead"), (DAY, None)], EVERYTHING),
        ([(MINUTE, "lead"), (MINUTE + SECOND, "partner_cost")], SLA | MARGIN),
    ],
    ids=["day and fact", "fact and day", "two facts"],
)
async def test_of_two_looks_that_fail_neither_is_forgotten_for_the_other(
    pool: Pool, looker: Trying, begun: Begun, failing: list[tuple[timedelta, str | None]], owed: Metrics
) -> None:
    """The second one is due before the first one is tried again."""
    looker.fails = True
    for after, facts in failing:
        if facts:
            await changed(pool, facts)
        assert len(await begun.watch.round(begun.now + after)) == 1
    looker.asked.clear()
    looker.fails = False
    await begun.watch.round(begun.now + after + AFTER_FAILURE)
    assert looker.asked == [{"one": owed}]
    assert await begun.watch.round(begun.now + after + 2 * AFTER_FAILURE) == ()


async def test_a_look_takes_along_what_the_one_before_could_not_look_at(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """Otherwise the place would be written down past a fact that was never looked at."""
    looker.fails = True
    await changed(pool, "lead")
    await begun.watch.round(begun.now + MINUTE)
    assert not await is_written_down(pool)
    looker.fails = False
    await changed(pool, "partner_cost")
    await begun.watch.round(begun.now + MINUTE + SECOND)
    assert looker.asked[1:] == [{"one": SLA | MARGIN}]
    assert await is_written_down(pool)
    assert await begun.watch.round(begun.now + MINUTE + AFTER_FAILURE) == ()


async def test_a_failure_that_is_over_is_not_held_against_the_next(pool: Pool, looker: Trying, begun: Begun) -> None:
    """The place waits for each as long as for the first, also where that was long ago; for one without a workflow it
    does not, and that one is looked at again much later."""
    watch, now = begun.watch, begun.now
    for _ in range(2):
        now += 2 * BEHIND
        looker.fails = True
        await changed(pool, "lead")
        await watch.round(now)
        assert watch.next_at == now + AFTER_FAILURE
        assert not await is_written_down(pool)
        looker.fails = False
        await watch.round(now + AFTER_FAILURE)
        assert await is_written_down(pool)
    looker.fails = looker.gone = True
    await changed(pool, "lead")
    await watch.round(now + HOUR)
    assert watch.next_at == now + HOUR + WITHOUT_WORKFLOW
    assert await is_written_down(pool)


# Deadlines that have not had their turn.


async def test_a_deadline_that_waits_for_its_turn_is_found_by_whoever_takes_over(
    pool: Pool, looker: Trying, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rollouts have the same deadline, one is looked at, and then the worker dies."""
    monkeypatch.setattr(vigil, "AT_ONCE", 1)
    await opened(pool, "two")
    await looked_at(pool, begun.now, "one", "two")
    await lead(pool, begun.now + HOUR / 2)
    watch, now = another(pool, looker), begun.now + HOUR / 2 + SECOND
    await watch.begin(now - MINUTE)
    await watch.round(now)
    (asked,) = looker.asked
    assert asked.keys() < {"one", "two"}
    looker.asked.clear()
    again = another(pool, looker)
    await again.begin(now + SECOND)
    for _ in range(2):
        await again.round(now + SECOND)
    assert {name for asked in looker.asked for name in asked} == {"one", "two"}


@pytest.mark.parametrize("dies", [True, False])
async def test_a_rollout_that_changes_as_its_deadline_passes_is_looked_at(
    pool: Pool, looker: Trying, begun: Begun, dies: bool
) -> None:
    """It is read anew before the deadline has had its turn: in the same round, or by whoever takes over."""
    await lead(pool, begun.now + HOUR / 2)
    await looked_at(pool, begun.now, "one")
    watch, now = another(pool, looker), begun.now + HOUR / 2 + SECOND
    if not dies:
        await watch.begin(begun.now)
    await Setting(pool, make_plan(id="one")).watch(PILOT_COHORT, tolerance_since=now)
    if dies:
        await watch.begin(now)
    await watch.round(now)
    assert looker.asked == [{"one": SLA}]


async def test_a_deadline_right_after_a_look_is_found_by_whoever_takes_over(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """It is looked at a moment later, because deadlines come in crowds where the clock is fast; meanwhile a fact of
    another rollout is dealt with, and then the worker dies."""
    other = await opened(pool, "two")
    await other.watch(CohortMembers(name="wave-one", partners=WAVE_1), tolerance_since=other.clock.real_start)
    await looked_at(pool, begun.now, "one", "two")
    watch, now = another(pool, looker), begun.now + MINUTE
    await watch.begin(now)
    await lead(pool, now + OFTEN / 4)
    await changed(pool, "lead")
    await watch.round(now)
    assert watch.next_at == now + OFTEN
    await changed(pool, "lead", WAVE_1[0])
    await watch.round(now + OFTEN / 2)
    again = another(pool, looker)
    await again.begin(now + OFTEN / 2)
    looker.asked.clear()
    await again.round(now + 2 * OFTEN)
    assert looker.asked == [{"one": SLA}]


async def test_after_a_clock_that_was_ahead_is_set_right_no_deadline_of_the_time_between_is_passed_over(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """The place that is written down is an hour ahead, the next deadline half an hour; and so it is for a rollout that
    is read anew."""
    await pool.execute("update watch_position set deadlines_through = $1", begun.now + HOUR)
    await looked_at(pool, begun.now, "one")
    await lead(pool, begun.now + HOUR / 2)
    watch = another(pool, looker)
    await watch.begin(begun.now + MINUTE)
    assert watch.next_at == begun.now + HOUR / 2 + MOMENT
    await Setting(pool, make_plan(id="one")).watch(PILOT_COHORT, tolerance_since=begun.now + SECOND)
    await watch.round(begun.now + 2 * MINUTE)
    assert watch.next_at == begun.now + HOUR / 2 + MOMENT
    assert await pool.fetchval("select deadlines_through from watch_position") == begun.now + 2 * MINUTE


# Facts of clocks that are ahead.


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("minutes", [(10, 40), (40, 10)])
async def test_of_two_clocks_that_are_ahead_neither_is_forgotten_for_the_other(
    pool: Pool, looker: Trying, begun: Begun, minutes: tuple[int, int], together: bool
) -> None:
    watch = begun.watch
    for number, ahead in enumerate(minutes):
        await changed(pool, "lead", PILOT[number], begun.now + ahead * MINUTE)
        if not together or number:
            await watch.round(begun.now + SECOND)
    looker.asked.clear()
    for at in sorted(minutes):
        assert await watch.round(begun.now + (at - 1) * MINUTE) == ()
        assert not await is_written_down(pool)
        assert watch.next_at == begun.now + at * MINUTE
        assert len(await watch.round(watch.next_at)) == 1
    assert looker.asked == [{"one": SLA}] * 2
    assert await is_written_down(pool)


async def test_of_two_clocks_that_are_ahead_by_about_the_same_the_later_one_counts(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    at = (begun.now + 10 * MINUTE).replace(second=0, microsecond=0)
    for seconds in (40, 20):
        await changed(pool, "lead", PILOT[0], at + seconds * SECOND)
        await begun.watch.round(begun.now + SECOND)
    assert begun.watch.next_at == at + 40 * SECOND


# Whom a change concerns.


async def test_reasons_that_fall_together_make_one_look_at_all_they_ask_for(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """A daily look, a deadline after it, a fact about everybody and one about a partner."""
    watch, now = begun.watch, begun.now + MINUTE
    await lead(pool, begun.now + DAY + SECOND)
    await changed(pool, "lead")
    await changed(pool, "fx_rate", None)
    await watch.round(now)
    assert looker.asked.pop() == {"one": SLA | MARGIN}
    now = begun.now + DAY + MINUTE
    await changed(pool, "lead")
    await watch.round(now)
    assert looker.asked == [{"one": EVERYTHING}]
    assert await watch.round(now + MINUTE) == ()
    assert watch.next_at == now + DAY


async def test_a_rollout_whose_first_look_has_not_had_its_turn_is_looked_at_whole(
    pool: Pool, looker: Trying, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "AT_ONCE", 1)
    watch = another(pool, looker)
    await opened(pool, "two")
    await watch.begin(begun.now)
    await changed(pool, "lead")
    await watch.round(begun.now)
    assert looker.asked == [{"one": EVERYTHING, "two": EVERYTHING}]


async def test_a_rollout_that_watches_others_and_then_ends_is_no_longer_looked_at_for_those_before(
    pool: Pool, looker: Trying, begun: Begun
) -> None:
    """And the first deadline of those it watches now is known at once."""
    watch, now = begun.watch, begun.now + MINUTE
    one = Setting(pool, make_plan(id="one"))
    await looked_at(pool, begun.now, "one")
    await lead(pool, begun.now + HOUR / 2, WAVE_1[0])
    await one.watch(CohortMembers(name="wave-one", partners=WAVE_1), tolerance_since=begun.now)
    assert await watch.round(now) == ()
    assert watch.next_at == begun.now + HOUR / 2 + MOMENT
    await changed(pool, "lead", PILOT[0])
    assert await watch.round(now) == ()
    await changed(pool, "lead", WAVE_1[0])
    assert len(await watch.round(now)) == 1
    await one.watch(open=False)
    await changed(pool, "lead", WAVE_1[0])
    assert await watch.round(now) == ()
    assert (watch.looked_after, watch.next_at) == (0, None)
