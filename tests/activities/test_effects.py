"""What a rollout does to the store is done once, however often and however late it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from models.names import ROLLOUT, WATCH_ID, rollout_workflow_id
from models.rollout import CohortMembers
from models.work import RolloutInput, RolloutKey
from store import rollouts
from store.log import read_log
from store.roster import read_roster
from tests.activities.setting import DAY, PILOT_COHORT, START, Pool, Setting, entry, naming, selecting
from tests.activities.whole import WholeEffects
from tests.plans import CONTROL, PILOT, WAVE_1, make_plan
from tests.workflows.process import terminate


@pytest.fixture
async def effects(pool: Pool, dev_server: WorkflowEnvironment) -> WholeEffects:
    return WholeEffects(pool, dev_server.client)


async def partner(pool: Pool, name: str, known: datetime = START - DAY, **fields: object) -> None:
    row = {"tier": "gold", "region": "north", "type": "reseller", "active_from": None, "active_to": None, **fields}
    await pool.execute(
        "insert into partner (partner_id, name, source_system, source_id, known_at, tier, region, type, active_from, "
        "active_to) values ($1, $1, 'test', $1, $2, $3, $4, $5, $6, $7)",
        name,
        known,
        *row.values(),
    )


# Opening.


@pytest.fixture
async def no_watch(dev_server: WorkflowEnvironment) -> AsyncIterator[None]:
    """Whatever watch a test starts ends with it, and another test's before it begins."""
    await terminate(dev_server.client, WATCH_ID)
    yield
    await terminate(dev_server.client, WATCH_ID)


async def signals(env: WorkflowEnvironment, workflow_id: str) -> list[str]:
    history = await env.client.get_workflow_handle(workflow_id).fetch_history()
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]


@pytest.mark.usefixtures("no_watch")
async def test_opening_registers_once_and_wakes_the_watch_each_time(
    pool: Pool, dev_server: WorkflowEnvironment, effects: WholeEffects
) -> None:
    setting, env = Setting(pool), ActivityEnvironment()
    opened = await env.run(effects.open_rollout, setting.opening())
    assert await env.run(effects.open_rollout, setting.opening()) == opened
    async with pool.acquire() as conn:
        (stored,) = await rollouts.list_rollouts(conn)
        assert await rollouts.read_rollouts(conn, [setting.key]) == (stored,)
    assert (stored.plan, stored.plan_digest) == (setting.plan, setting.plan.digest)
    assert stored.plan.digest == setting.plan.digest
    assert (stored.clock, stored.key, stored.standing.open) == (setting.clock, setting.key, True)
    watch = await dev_server.client.get_workflow_handle(WATCH_ID).describe()
    assert (watch.status, watch.task_queue) == (WorkflowExecutionStatus.RUNNING, env.info.task_queue)
    assert await signals(dev_server, WATCH_ID) == ["wake", "wake"]


@pytest.mark.usefixtures("no_watch")
async def test_without_a_plan_the_one_that_the_chain_began_with_is_registered_and_no_other(
    pool: Pool, dev_server: WorkflowEnvironment, effects: WholeEffects
) -> None:
    plan, env = make_plan(id="begun-with"), ActivityEnvironment()
    workflow = await dev_server.client.start_workflow(
        ROLLOUT, RolloutInput(plan=plan), id=rollout_workflow_id(plan.id), task_queue="nobody-works-here"
    )
    try:
        setting = Setting(pool, plan, chain=str(workflow.result_run_id))
        named = setting.opening().model_copy(update={"plan": None})
        with pytest.raises(ApplicationError, match="began with another plan") as refused:
            await env.run(effects.open_rollout, named.model_copy(update={"plan_digest": "sha256:other"}))
        assert (refused.value.type, refused.value.non_retryable) == ("WrongPlan", True)
        assert await pool.fetchval("select count(*) from rollout where rollout_id = 'begun-with'") == 0
        await env.run(effects.open_rollout, named)
        async with pool.acquire() as conn:
            (stored,) = await rollouts.read_rollouts(conn, [setting.key])
        assert (stored.plan, stored.plan_digest) == (plan, plan.digest)
    finally:
        await workflow.terminate("the test is over")


async def test_a_later_start_of_the_same_plan_ends_what_was_left_open(pool: Pool) -> None:
    first = await Setting(pool).register()
    await first.watch(PILOT_COHORT)
    second = await Setting(pool, chain="chain-2").register()
    await first.register()
    async with pool.acquire() as conn:
        assert [entry.key for entry in await read_roster(conn)] == [second.key]
        assert [one.key for one in await rollouts.list_rollouts(conn)] == [second.key, first.key]
        (over,) = await rollouts.read_rollouts(conn, [first.key])
    assert (over.standing.open, over.standing.watched) == (False, ())
    assert "superseded" in over.standing.sentence


# Cohorts.


async def test_named_cohorts_are_frozen_as_they_stand(setting: Setting, effects: WholeEffects) -> None:
    cohorts = await effects.resolve_cohorts(setting.resolving())
    assert [one.name for one in cohorts] == ["pilot", "control", "wave-one", "wave-two"]
    assert cohorts[0] == PILOT_COHORT
    assert await effects.resolve_cohorts(setting.resolving(naming("other", "P001"))) == cohorts


async def test_selected_cohorts_stay_what_they_were(pool: Pool, effects: WholeEffects) -> None:
    setting = await Setting(pool).register()
    for name in ("b", "a", "c"):
        await partner(pool, name)
    request = setting.resolving(selecting("pilot", tier=("gold",)))
    assert await effects.resolve_cohorts(request) == (CohortMembers(name="pilot", partners=("a", "b", "c")),)
    await partner(pool, "d")
    await pool.execute("update partner set tier = 'silver' where partner_id = 'a'")
    assert await effects.resolve_cohorts(request) == (CohortMembers(name="pilot", partners=("a", "b", "c")),)


async def test_a_partner_goes_to_the_first_cohort_that_takes_it(pool: Pool, effects: WholeEffects) -> None:
    setting = await Setting(pool).register()
    for name in "abcdef":
        await partner(pool, name)
    cohorts = await effects.resolve_cohorts(
        setting.resolving(
            selecting("pilot", 2, region=("north",)), naming("control", "b", "c"), selecting("rest", tier=("gold",))
        )
    )
    assert [one.partners for one in cohorts] == [("a", "b"), ("c",), ("d", "e", "f")]


async def test_a_selector_takes_any_of_a_list_and_all_of_the_lists(pool: Pool, effects: WholeEffects) -> None:
    setting = await Setting(pool).register()
    await partner(pool, "a", tier="gold", region="north")
    await partner(pool, "b", tier="silver", region="north")
    await partner(pool, "c", tier="gold", region="south")
    await partner(pool, "d", tier="bronze", region="north", type="msp")
    spec = selecting("pilot", tier=("gold", "silver"), region=("north",), type=("reseller",))
    assert await effects.resolve_cohorts(setting.resolving(spec)) == (CohortMembers(name="pilot", partners=("a", "b")),)


async def test_only_partners_active_and_known_at_the_moment_are_selected(pool: Pool, effects: WholeEffects) -> None:
    setting, today = await Setting(pool).register(), START.date()
    await partner(pool, "always")
    await partner(pool, "starts-today", active_from=today)
    await partner(pool, "starts-tomorrow", active_from=today + DAY)
    await partner(pool, "ends-today", active_to=today)
    await partner(pool, "ends-tomorrow", active_to=today + DAY)
    await partner(pool, "known-later", known=START + timedelta(seconds=1))
    (pilot,) = await effects.resolve_cohorts(setting.resolving(selecting("pilot")))
    assert pilot.partners == ("always", "ends-tomorrow", "starts-today")


async def test_an_empty_cohort_freezes_nothing(pool: Pool, effects: WholeEffects) -> None:
    setting = await Setting(pool).register()
    await partner(pool, "a")
    specs = (selecting("pilot", tier=("gold",)), selecting("wave-one", tier=("platinum",)))
    assert (await effects.resolve_cohorts(setting.resolving(*specs)))[1].partners == ()
    await partner(pool, "b", tier="platinum")
    cohorts = await effects.resolve_cohorts(setting.resolving(*specs))
    assert [one.partners for one in cohorts] == [("a",), ("b",)]


async def test_partners_that_do_not_exist_are_named(setting: Setting, effects: WholeEffects) -> None:
    with pytest.raises(ApplicationError, match="P998, P999") as caught:
        await effects.resolve_cohorts(setting.resolving(naming("pilot", "P001", "P999", "P998")))
    assert (caught.value.type, caught.value.non_retryable) == ("UnknownPartners", True)
    assert await effects.resolve_cohorts(setting.resolving(naming("pilot", "P001")))


async def test_cohorts_resolved_at_the_same_time_are_the_same(setting: Setting, effects: WholeEffects) -> None:
    requests = [setting.resolving(naming("pilot", name)) for name in PILOT[:5]]
    found = await asyncio.gather(*(effects.resolve_cohorts(one) for one in requests))
    assert len(set(found)) == 1


# Enrolment.


async def enrolled(pool: Pool) -> list[str]:
    rows = await pool.fetch("select partner_id from enrolment where withdrawn_at is null order by 1")
    return [row["partner_id"] for row in rows]


async def test_everybody_is_enrolled_once(setting: Setting, effects: WholeEffects) -> None:
    first = await effects.enrol_partners(setting.enrolling())
    again = await effects.enrol_partners(setting.enrolling(at=START + DAY))
    assert (first.partners, first.changed, again.partners, again.changed) == (12, 12, 12, 0)
    assert await enrolled(setting.pool) == list(PILOT)
    assert await setting.pool.fetchval("select max(enrolled_at) from enrolment") == START


async def test_two_enrolments_at_the_same_time_are_one(setting: Setting, effects: WholeEffects) -> None:
    results = await asyncio.gather(*(effects.enrol_partners(setting.enrolling()) for _ in range(4)))
    assert sorted(one.changed for one in results) == [0, 0, 0, 12]
    assert await setting.pool.fetchval("select count(*) from enrolment") == 12


async def test_an_enrolment_half_done_is_completed(setting: Setting, effects: WholeEffects) -> None:
    await effects.enrol_partners(setting.enrolling(CohortMembers(name="pilot", partners=PILOT[:5])))
    result = await effects.enrol_partners(setting.enrolling())
    assert (result.partners, result.changed) == (12, 7)


async def test_all_of_a_cohort_or_nobody(setting: Setting, effects: WholeEffects) -> None:
    stranger = CohortMembers(name="pilot", partners=(*PILOT, "P999"))
    with pytest.raises(ApplicationError, match="foreign key") as caught:
        await effects.enrol_partners(setting.enrolling(stranger))
    assert (caught.value.type, caught.value.non_retryable) == ("StoreRefused", True)
    assert await enrolled(setting.pool) == []


async def test_a_partner_is_in_one_cohort_only(setting: Setting, effects: WholeEffects) -> None:
    await effects.enrol_partners(setting.enrolling())
    overlapping = CohortMembers(name="wave-one", partners=(*WAVE_1, PILOT[0]))
    with pytest.raises(ApplicationError, match=f"1 partners of wave-one could not be enrolled: {PILOT[0]}") as caught:
        await effects.enrol_partners(setting.enrolling(overlapping, phase="scale", wave=1))
    assert (caught.value.type, caught.value.non_retryable) == ("NotEnrolled", True)
    assert await enrolled(setting.pool) == list(PILOT)


async def test_a_withdrawal_takes_back_its_cohort_once(setting: Setting, effects: WholeEffects) -> None:
    await effects.enrol_partners(setting.enrolling())
    wave = CohortMembers(name="wave-one", partners=WAVE_1)
    await effects.enrol_partners(setting.enrolling(wave, phase="scale", wave=1))
    request = setting.enrolling(phase="scale", wave=1, at=START + DAY)
    first = await effects.withdraw_partners(request)
    again = await effects.withdraw_partners(setting.enrolling(phase="scale", wave=1, at=START + 2 * DAY))
    assert (first.partners, first.changed, again.partners, again.changed) == (12, 12, 12, 0)
    assert await enrolled(setting.pool) == list(WAVE_1)
    withdrawn = "select distinct withdrawn_at from enrolment where cohort = 'pilot'"
    assert [row[0] for row in await setting.pool.fetch(withdrawn)] == [START + DAY]


async def test_an_enrolment_that_comes_after_its_withdrawal_is_refused(setting: Setting, effects: WholeEffects) -> None:
    await effects.enrol_partners(setting.enrolling())
    await effects.withdraw_partners(setting.enrolling())
    with pytest.raises(ApplicationError, match="could not be enrolled"):
        await effects.enrol_partners(setting.enrolling())
    assert await enrolled(setting.pool) == []


async def test_nobody_is_enrolled_after_the_end(setting: Setting, effects: WholeEffects) -> None:
    await setting.watch(open=False)
    with pytest.raises(ApplicationError, match="is over") as caught:
        await effects.enrol_partners(setting.enrolling())
    assert (caught.value.type, caught.value.non_retryable) == ("RolloutOver", True)


async def test_nobody_is_enrolled_by_a_rollout_the_store_does_not_know(setting: Setting, effects: WholeEffects) -> None:
    stranger = setting.enrolling().model_copy(update={"key": RolloutKey(rollout_id="other", chain_id="x")})
    with pytest.raises(ApplicationError, match="not registered") as caught:
        await effects.enrol_partners(stranger)
    assert (caught.value.type, caught.value.non_retryable) == ("UnknownRollout", False)


async def test_two_rollouts_may_enrol_the_same_partner(setting: Setting, effects: WholeEffects) -> None:
    other = await Setting(setting.pool, make_plan(id="other-plan"), "chain-2").register()
    await effects.enrol_partners(setting.enrolling())
    assert (await effects.enrol_partners(other.enrolling())).changed == 12
    await effects.withdraw_partners(other.enrolling())
    assert await enrolled(setting.pool) == list(PILOT)


# The decision log.


async def test_entries_are_appended_once_in_their_order(setting: Setting, effects: WholeEffects) -> None:
    entries = [entry(1, "opened"), entry(2, "decided", actor="sam@example.com", detail={"share": 0.5, "n": 3})]
    assert await effects.record_decisions(setting.recording(*entries)) == 2
    assert await effects.record_decisions(setting.recording(*entries, entry(3))) == 1
    async with setting.pool.acquire() as conn:
        assert await read_log(conn, "test-plan") == (*entries, entry(3))
        assert await read_log(conn, "test-plan", "another chain") == ()


async def test_the_same_record_at_the_same_time_is_one(setting: Setting, effects: WholeEffects) -> None:
    request = setting.recording(entry(1), entry(2))
    assert sorted(await asyncio.gather(*(effects.record_decisions(request) for _ in range(4)))) == [0, 0, 0, 2]


async def test_another_entry_of_the_same_number_is_a_conflict(setting: Setting, effects: WholeEffects) -> None:
    await effects.record_decisions(setting.recording(entry(1, "approved")))
    with pytest.raises(ApplicationError, match="entry 1 of test-plan") as caught:
        await effects.record_decisions(setting.recording(entry(1, "rejected"), entry(2), status="paused"))
    assert (caught.value.type, caught.value.non_retryable) == ("LogConflict", True)
    async with setting.pool.acquire() as conn:
        assert [one.message for one in await read_log(conn, "test-plan")] == ["approved"]
        (stored,) = await rollouts.list_rollouts(conn)
    assert stored.standing.status == "running"


@pytest.mark.parametrize("table", ["decision_log", "evidence"])
@pytest.mark.parametrize(
    "statement", ["update {} set recorded_at = now()", "delete from {} where false", "truncate {}"]
)
async def test_the_log_and_the_evidence_cannot_be_changed(setting: Setting, table: str, statement: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match=f"{table} is append-only"):
        await setting.pool.execute(statement.format(table))


async def test_the_newest_standing_stands(setting: Setting, effects: WholeEffects) -> None:
    late = setting.recording(entry(1), status="running", sentence="early")
    await effects.record_decisions(setting.recording(entry(1), entry(2), status="paused", watched=(PILOT_COHORT,)))
    await effects.record_decisions(late)
    async with setting.pool.acquire() as conn:
        (stored,) = await rollouts.list_rollouts(conn)
    assert stored.standing == setting.standing(status="paused", watched=(PILOT_COHORT,))


async def test_logs_of_two_chains_do_not_mix(setting: Setting, effects: WholeEffects) -> None:
    await effects.record_decisions(setting.recording(entry(1, "first")))
    second = await Setting(setting.pool, chain="chain-2").register()
    await effects.record_decisions(second.recording(entry(1, "second")))
    async with setting.pool.acquire() as conn:
        assert [one.message for one in await read_log(conn, "test-plan")] == ["second"]
        assert [one.message for one in await read_log(conn, "test-plan", "chain-1")] == ["first"]


def test_the_cohorts_of_the_plan_do_not_overlap() -> None:
    """What the tests above take for granted."""
    assert not set(PILOT) & set(WAVE_1) | set(PILOT) & set(CONTROL)
    assert START.tzinfo is UTC
