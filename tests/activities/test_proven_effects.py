"""Enrolling and withdrawing in the store: only on signatures that hold by the keys of the process itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.exceptions import ApplicationError

from activities.enrolling import EnrolActivities
from activities.trust import Trust
from judgement.assessment import sealed
from models.command import Choice, Decide, Stop, Verb
from models.evidence import Assessment, StopTrigger
from models.metric import MetricName
from models.plan import Decisions
from models.proof import Proofs
from models.rollout import CohortMembers, members_digest
from models.work import EnrolRequest, EnrolResult
from store import enrolments, evidence
from tests.activities.setting import DAY, PILOT_COHORT, START, Pool, Setting, entry
from tests.facts import seed_facts
from tests.plans import CONTROL, PILOT, signed_plan
from tests.signing import Pen, Signed, write_keys
from tests.workflows.live import FACTS_FROM, FACTS_TO

PLAN = signed_plan()
SERVICE = Signed(PLAN, chain="chain-1")


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    """A registered rollout whose decisions are signed, with its cohorts frozen."""
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    found = await Setting(pool, PLAN).register()
    await freeze(found)
    return found


async def freeze(setting: Setting, pilot: tuple[str, ...] = PILOT) -> str:
    specs = setting.plan.cohort_specs()
    cohorts = [CohortMembers(name=one.name, partners=one.partners) for one in specs]
    cohorts[0] = CohortMembers(name="pilot", partners=pilot)
    async with setting.pool.acquire() as conn:
        return members_digest(await enrolments.freeze_cohorts(conn, setting.key, cohorts, START))


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(write_keys(tmp_path / "keys.json", SERVICE.pen), decisions=Decisions.SIGNED)


def approval(service: Signed = SERVICE, **changes: Any) -> Decide:
    data = {
        "request_id": "approval-0001",
        "actor": PLAN.owners[0].identity,
        "reason": "the baselines are sound",
        "gate": "prepare_to_pilot",
        "choice": Choice.APPROVE,
        "plan_digest": PLAN.digest,
        "evidence_digest": "sha256:e",
    }
    command = Decide.model_validate({**data, **changes})
    return command.model_copy(update={"token": service.request(Verb.DECIDE, command, START)})


def proofs(*approvals: Decide, **changes: Any) -> Proofs:
    return Proofs(**{"start": SERVICE.start(START), "decisions": approvals or (approval(),), **changes})


async def enrol(setting: Setting, trust: Trust, given: Proofs | None, **changes: Any) -> EnrolResult:
    async with setting.pool.acquire() as conn:
        digest = members_digest(await enrolments.frozen_cohorts(conn, setting.key))
    request = setting.enrolling(**{"cohort": "pilot", "cohorts_digest": digest, "proofs": given, **changes})
    return await EnrolActivities(setting.pool, trust).enrol_partners(request)


async def nobody(setting: Setting) -> bool:
    return not await setting.pool.fetchval("select count(*) from enrolment where withdrawn_at is null")


async def test_with_signatures_that_hold_the_pilot_is_enrolled(setting: Setting, trust: Trust) -> None:
    found = await enrol(setting, trust, proofs())
    assert (found.partners, found.changed) == (12, 12)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "decisions of this rollout are signed, and none came along"),
        (Proofs(), "nobody signed the start"),
        (Proofs(start=SERVICE.start(START)), "prepare_to_pilot needs 1 of sponsor; nobody signed for it"),
        (proofs(approval(Signed(PLAN, "chain-1", Pen()))), "not that of its key"),
        (proofs(approval(Signed(PLAN, "chain-0", SERVICE.pen))), "an earlier or later rollout"),
        (proofs(approval(gate="validate_to_scale")), "did not approve prepare_to_pilot"),
    ],
)
async def test_without_them_nobody_is_the_log_stays_and_an_alarm_is_given(
    setting: Setting, trust: Trust, given: Proofs | None, said: str
) -> None:
    record = setting.recording(entry(1))
    with capture_logs() as logged, pytest.raises(ApplicationError, match=said) as caught:
        await enrol(setting, trust, given, record=record)
    [alarm] = [line for line in logged if line["event"].startswith("alarm")]
    assert (alarm["log_level"], alarm["rollout"], alarm["cohort"]) == ("error", PLAN.id, "pilot")
    assert (caught.value.type, caught.value.non_retryable) == ("NotProven", True)
    assert await nobody(setting)
    assert await setting.pool.fetchval("select count(*) from decision_log") == 0


async def test_the_keys_are_those_of_the_file_now(setting: Setting, trust: Trust) -> None:
    assert trust.file is not None
    write_keys(trust.file, Pen("key-2"))
    with pytest.raises(ApplicationError, match="'key-1', which is not among"):
        await enrol(setting, trust, proofs())
    trust.file.unlink()
    with pytest.raises(ApplicationError, match="ROLLOUTS_DECISION_KEYS") as caught:
        await enrol(setting, trust, proofs())
    assert (caught.value.type, caught.value.non_retryable) == ("KeysUnavailable", False)
    assert await nobody(setting)


async def test_a_rollout_registered_as_unsigned_enrols_nobody_where_decisions_are_signed(
    pool: Pool, trust: Trust
) -> None:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    setting = await Setting(pool).register()
    digest = await freeze(setting)
    with pytest.raises(ApplicationError, match="decisions of this rollout are unsigned, and here they must be signed"):
        await enrol(setting, trust, None, cohorts_digest=digest)
    assert await nobody(setting)
    lax = Trust()
    assert (await enrol(setting, lax, None)).changed == 12


async def test_a_signed_rollout_needs_its_signatures_also_where_unsigned_ones_are_taken(setting: Setting) -> None:
    with pytest.raises(ApplicationError, match="none came along"):
        await enrol(setting, Trust(), None)
    assert await nobody(setting)


async def test_nobody_gets_into_a_cohort_whom_the_plan_does_not_name(pool: Pool, trust: Trust) -> None:
    """Cohorts are frozen by whoever works on the rollouts' queue."""
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    setting = await Setting(pool, PLAN).register()
    await freeze(setting, (*PILOT, CONTROL[0]))
    with pytest.raises(ApplicationError, match=f"the plan does not name {CONTROL[0]} in cohort pilot"):
        await enrol(setting, trust, proofs())
    with pytest.raises(ApplicationError, match="a cohort comes by name"):
        await enrol(setting, trust, proofs(), cohort=PILOT_COHORT)
    assert await nobody(setting)


async def test_the_store_has_the_plan_that_was_started_or_nobody_is_enrolled(pool: Pool, trust: Trust) -> None:
    """A plan whose owners were changed on its way to the store."""
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    plan = signed_plan(title="Forged plan")
    setting = await Setting(pool, plan).register()
    await freeze(setting)
    with pytest.raises(ApplicationError, match="another version of the plan"):
        await enrol(setting, trust, proofs())
    assert await nobody(setting)


# Withdrawing.


async def withdraw(setting: Setting, trust: Trust, given: Proofs) -> EnrolResult:
    request: EnrolRequest = setting.enrolling("pilot", at=START + DAY, proofs=given)
    return await EnrolActivities(setting.pool, trust).withdraw_partners(request)


def stop() -> Stop:
    data = {
        "request_id": "stop-0001",
        "actor": PLAN.owners[0].identity,
        "reason": "enough",
        "resolution": PLAN.on_automatic_stop,
    }
    command = Stop.model_validate(data)
    return command.model_copy(update={"token": SERVICE.request(Verb.STOP, command, START)})


async def test_a_signed_stop_withdraws_and_none_does_not(setting: Setting, trust: Trust) -> None:
    await enrol(setting, trust, proofs())
    with pytest.raises(ApplicationError, match="nobody signed a stop") as caught:
        await withdraw(setting, trust, proofs())
    assert caught.value.type == "NotProven"
    assert not await nobody(setting)
    assert (await withdraw(setting, trust, proofs(stops=(stop(),)))).changed == 12


async def test_evidence_withdraws_only_as_the_store_has_it(setting: Setting, trust: Trust) -> None:
    await enrol(setting, trust, proofs())
    trigger = StopTrigger(
        condition="the SLA collapses", metric=MetricName.LEAD_FOLLOW_UP_SLA, cohort="pilot", value=10.0
    )
    found = sealed(
        Assessment(evidence_id="", digest="", snapshot_digest="sha256:s", as_of=START, items=(), stop=(trigger,))
    )
    healthy = sealed(found.model_copy(update={"stop": ()}))
    lie = found.model_copy(update={"digest": "sha256:" + "1" * 64})
    async with setting.pool.acquire() as conn:
        await evidence.keep_assessment(conn, setting.key, "pilot", healthy)
        await evidence.keep_assessment(conn, setting.key, "pilot", lie)
    for digest in (None, found.digest, healthy.digest, lie.digest, "sha256:"):
        with pytest.raises(ApplicationError, match="no evidence in the store asks for one"):
            await withdraw(setting, trust, proofs(stopped_on=digest))
    async with setting.pool.acquire() as conn:
        await evidence.keep_assessment(conn, setting.key, "pilot", found)
    assert (await withdraw(setting, trust, proofs(stopped_on=found.digest))).changed == 12
