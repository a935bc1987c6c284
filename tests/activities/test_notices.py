"""Notices go out once per person: through the outbox, over every channel, whatever fails in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities import delivery
from activities.channels import Away, Channel, Undeliverable
from activities.delivery import Delivery
from activities.effects import EffectActivities
from activities.letters import Letter
from activities.notices import NoticeActivities
from activities.smtp import SmtpChannel
from models.letter import PROGRAMS, recipients
from models.rollout import Delegation, Notice
from models.work import NotifyRequest, RecordRequest
from store import notices
from store.notices import NoticeStatus
from tests.activities.relay import mail_relay
from tests.activities.setting import START, Pool, Setting, entry, notice
from tests.activities.whole import effects_of
from tests.plans import make_plan, plan_data

SOON = timedelta(seconds=30)


class Pigeon:
    """A channel whose bird may be told to fail: what it carried, and to whom."""

    def __init__(self, name: str = "pigeon", *, for_programs: bool = False) -> None:
        self.name = name
        self.for_programs = for_programs
        self.carried: list[tuple[str, str]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.slow = 0.0
        self.flies = asyncio.Event()

    def takes(self, letter: Letter) -> bool:
        return letter.for_programs is self.for_programs

    async def send(self, letter: Letter) -> None:
        self.flies.set()
        await asyncio.sleep(self.slow)
        failures = self.failures.get(letter.contact, [])
        if failures:
            raise failures.pop(0)
        self.carried.append((letter.notice_id, letter.contact))


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    return await Setting(pool).register()


def telling(pool: Pool, *channels: Channel) -> NoticeActivities:
    return NoticeActivities(pool, Delivery(pool, channels))


def asking(setting: Setting, *notices: Notice) -> NotifyRequest:
    return NotifyRequest(key=setting.key, notices=notices or (notice(),))


def recording(setting: Setting, *channels: Channel) -> EffectActivities:
    """The activities that record; none of those used here asks Temporal for anything."""
    return effects_of(setting.pool, delivery=Delivery(setting.pool, channels))


async def due_again(pool: Pool) -> None:
    await pool.execute("update notice set next_try_at = now()")


# To whom.


def test_a_notice_goes_to_the_holders_of_its_roles() -> None:
    assert recipients(make_plan(), notice(1, "sponsor", "revops_owner")) == (
        "sam.sponsor@example.com",
        "rev.ops@example.com",
    )


def test_a_plan_is_communicated_to_its_audiences() -> None:
    assert recipients(make_plan(), notice(kind="communicate")) == ("channel@example.com",)


@pytest.mark.parametrize("kind", ["awaiting", "reminder", "escalation"])
def test_a_proposer_who_owns_a_role_is_not_asked_for_what_a_proposer_may_not_do(kind: str) -> None:
    rules = plan_data()["approvals"]
    rules["override"]["roles"].append("finance_owner")
    plan = make_plan(proposer="Rev.Ops@example.com", approvals=rules)
    roles = ("sponsor", "revops_owner")
    asked = notice(1, *roles, kind=kind).model_copy(update={"must_act": roles})
    assert recipients(plan, asked) == ("sam.sponsor@example.com",)
    # Told of what the plan escalates to them, as before; and of a pause, which they may resume with a reason.
    told = asked.model_copy(update={"must_act": ("sponsor",)})
    assert recipients(plan, told) == ("sam.sponsor@example.com", "rev.ops@example.com")
    assert len(recipients(plan, asked.model_copy(update={"kind": "paused"}))) == 2
    override = asked.model_copy(update={"kind": "agreement", "cause": "override"})
    stop = override.model_copy(update={"cause": "stop"})
    assert (len(recipients(plan, override)), len(recipients(plan, stop))) == (1, 2)


def test_whoever_acts_for_an_owner_gets_the_owner_s_letters() -> None:
    plan = make_plan()
    dee = {"owner": "sam.sponsor@example.com", "role": "sponsor", "identity": "dee@example.com", "name": "Dee"}
    given = [Delegation.model_validate(dee | {"until": START + timedelta(days=90)})]
    assert recipients(plan, notice(1, "sponsor"), given) == ("sam.sponsor@example.com", "dee@example.com")
    assert recipients(plan, notice(1, "revops_owner"), given) == ("rev.ops@example.com",)


def test_a_notice_for_a_role_that_nobody_holds_goes_to_everybody() -> None:
    plan = make_plan()
    assert recipients(plan, notice(1, "nobody")) == tuple(owner.contact for owner in plan.owners)


# The outbox.


async def test_every_owner_gets_a_notice_once(setting: Setting) -> None:
    bird = Pigeon()
    activities = telling(setting.pool, bird)
    assert await activities.notify_owners(asking(setting, notice(1), notice(2, "sponsor"))) == 3
    assert await activities.notify_owners(asking(setting, notice(1), notice(2, "sponsor"))) == 0
    assert sorted(bird.carried) == [
        (notice(1).notice_id, "rev.ops@example.com"),
        (notice(1).notice_id, "sam.sponsor@example.com"),
        (notice(2).notice_id, "sam.sponsor@example.com"),
    ]


async def test_a_letter_that_the_log_names_goes_to_whom_it_was_written_and_to_nobody_else(setting: Setting) -> None:
    """Whoever has begun or ceased to act for an owner meanwhile: the log's digest is over those it was written to."""
    named = notice().model_copy(update={"to": ("sam.sponsor@example.com", "dee@example.com")})
    bird = Pigeon()
    assert await telling(setting.pool, bird).notify_owners(asking(setting, named)) == 2
    assert sorted(contact for _, contact in bird.carried) == ["dee@example.com", "sam.sponsor@example.com"]


@pytest.mark.parametrize("head", ["test-plan/chain-1/", ""])
async def test_a_letter_that_was_recorded_is_delivered_by_its_name_and_one_that_was_not_is_an_error(
    setting: Setting, head: str
) -> None:
    """By its whole name, or by what is left without the rollout and its chain."""
    bird = Pigeon()
    await recording(setting).record_decisions(setting.recording(entry(1)).model_copy(update={"notices": (notice(1),)}))
    named = NotifyRequest(key=setting.key, notices=(f"{head}1/paused",))
    with pytest.raises(ApplicationError, match="not in the outbox: test-plan/chain-1/2/paused") as refused:
        await telling(setting.pool, bird).notify_owners(
            NotifyRequest(key=setting.key, notices=(f"{head}2/paused", f"{head}1/paused"))
        )
    assert len(bird.carried) == 2, "one that is missing keeps no other"
    assert await telling(setting.pool, bird).notify_owners(named) == 0
    assert (refused.value.type, refused.value.non_retryable) == ("UnknownLetters", False)


def recorded_with(setting: Setting, *letters: Notice) -> RecordRequest:
    """A record whose letters go out with it."""
    return setting.recording(entry(1)).model_copy(update={"notices": letters or (notice(1),), "deliver": True})


async def test_letters_go_out_with_the_record_that_tells_of_them_and_once(setting: Setting) -> None:
    bird = Pigeon()
    effects = recording(setting, bird)
    assert await effects.record_decisions(recorded_with(setting)) == 1
    assert len(bird.carried) == 2
    assert await effects.record_decisions(recorded_with(setting)) == 0
    assert await telling(setting.pool, bird).notify_owners(asking(setting, notice(1))) == 0
    assert len(bird.carried) == 2


async def test_a_record_that_does_not_ask_for_it_delivers_nothing(setting: Setting) -> None:
    bird = Pigeon()
    await recording(setting, bird).record_decisions(recorded_with(setting).model_copy(update={"deliver": False}))
    assert not bird.carried


async def test_a_channel_that_is_away_makes_no_record_fail_and_the_letter_goes_out_later(setting: Setting) -> None:
    bird = Pigeon()
    bird.failures = {"sam.sponsor@example.com": [Away("gone")]}
    assert await recording(setting, bird).record_decisions(recorded_with(setting)) == 1
    assert len(bird.carried) < 2
    await due_again(setting.pool)
    await Delivery(setting.pool, (bird,)).deliver(None, SOON)
    assert len(bird.carried) == 2


async def test_trouble_with_the_outbox_makes_no_record_fail_that_stands(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ConnectionError("the database went away")

    bird = Pigeon()
    monkeypatch.setattr(Delivery, "deliver", broken)
    assert await recording(setting, bird).record_decisions(recorded_with(setting)) == 1
    monkeypatch.undo()
    await Delivery(setting.pool, (bird,)).deliver(None, SOON)
    assert len(bird.carried) == 2


async def test_a_record_that_is_refused_sends_no_letter(setting: Setting) -> None:
    """Nobody hears of what does not stand in the log."""
    bird = Pigeon()
    forged = setting.recording(entry(1, "something else"))
    await recording(setting).record_decisions(setting.recording(entry(1)))
    with pytest.raises(ApplicationError):
        await recording(setting, bird).record_decisions(
            forged.model_copy(update={"notices": (notice(1),), "deliver": True})
        )
    assert not bird.carried


async def test_deliverers_at_the_same_time_do_not_deliver_twice(setting: Setting) -> None:
    bird = Pigeon()
    bird.slow = 0.05
    activities = telling(setting.pool, bird)
    counts = await asyncio.gather(*(activities.notify_owners(asking(setting)) for _ in range(3)))
    assert (sum(counts), len(bird.carried)) == (2, 2)


async def test_a_restart_does_not_send_again(setting: Setting) -> None:
    bird = Pigeon()
    await telling(setting.pool, bird).notify_owners(asking(setting))
    await Delivery(setting.pool, (bird,)).deliver(None, SOON)
    await telling(setting.pool, bird).notify_owners(asking(setting))
    assert len(bird.carried) == 2


async def test_without_a_channel_notices_are_kept_and_logged(setting: Setting) -> None:
    assert await telling(setting.pool).notify_owners(asking(setting)) == 0
    async with setting.pool.acquire() as conn:
        found = await notices.listed(conn, setting.plan.id, None, 10)
    assert [one.state for one in found] == [NoticeStatus.KEPT] * 3


async def test_a_failing_channel_fails_neither_the_rollout_nor_other_letters(setting: Setting) -> None:
    bird = Pigeon()
    bird.failures["sam.sponsor@example.com"] = [OSError("lost in fog"), TimeoutError("still foggy")]
    assert await telling(setting.pool, bird).notify_owners(asking(setting)) == 1
    deliverer = Delivery(setting.pool, (bird,))
    assert await deliverer.deliver(None, SOON) == 0, "tried again before its time"
    await due_again(setting.pool)
    assert await deliverer.deliver(None, SOON) == 0
    assert await setting.pool.fetchrow("select attempts, problem from notice where sent_at is null") == (
        2,
        "pigeon: TimeoutError: still foggy",
    )
    assert await setting.pool.fetchval("select next_try_at - now() > '50 s' from notice where sent_at is null")
    await due_again(setting.pool)
    assert await deliverer.deliver(None, SOON) == 1
    assert len(bird.carried) == 2


async def test_a_channel_that_took_a_letter_is_not_asked_again(setting: Setting) -> None:
    sure, lame = Pigeon("sure"), Pigeon("lame")
    lame.failures["sam.sponsor@example.com"] = [OSError("a broken wing")]
    request = asking(setting, notice(1, "sponsor"))
    assert await telling(setting.pool, sure, lame).notify_owners(request) == 0
    assert await telling(setting.pool, sure, lame).notify_owners(request) == 1
    assert (len(sure.carried), len(lame.carried)) == (1, 1)


async def test_what_can_never_be_delivered_is_not_tried_for_ever(setting: Setting) -> None:
    bird = Pigeon()
    bird.failures["sam.sponsor@example.com"] = [Undeliverable("no such nest")]
    await telling(setting.pool, bird).notify_owners(asking(setting, notice(1, "sponsor")))
    await due_again(setting.pool)
    assert await Delivery(setting.pool, (bird,)).deliver(None, SOON) == 0
    row = await setting.pool.fetchrow(
        "select problem, sent_at, refused_at is not null from notice where contact <> $1", PROGRAMS
    )
    assert row == ("pigeon: no such nest", None, True)
    assert bird.carried == []


async def test_what_takes_too_long_is_left_for_later(setting: Setting) -> None:
    bird = Pigeon()
    bird.slow = 1
    many = [notice(number, "sponsor") for number in range(1, 10)]
    await telling(setting.pool).notify_owners(asking(setting, *many))
    await setting.pool.execute("update notice set sent_at = null, next_try_at = now()")
    deliverer = Delivery(setting.pool, (bird,))
    first = await deliverer.deliver(None, timedelta(seconds=0.5))
    assert 0 < first < len(many)
    bird.slow = 0
    await due_again(setting.pool)
    assert await deliverer.deliver(None, SOON) == len(many) - first
    assert len({notice_id for notice_id, _ in bird.carried}) == len(bird.carried) == len(many)


async def test_programs_get_a_notice_once_and_people_do_not_get_theirs(setting: Setting) -> None:
    bird, machine = Pigeon(), Pigeon("machine", for_programs=True)
    assert await telling(setting.pool, bird, machine).notify_owners(asking(setting)) == 3
    assert await telling(setting.pool, bird, machine).notify_owners(asking(setting)) == 0
    assert machine.carried == [(notice().notice_id, PROGRAMS)]
    assert len(bird.carried) == 2


async def test_a_channel_that_refuses_for_good_does_not_keep_another_from_trying_again(setting: Setting) -> None:
    sure, lame = Pigeon("sure"), Pigeon("lame")
    sure.failures["sam.sponsor@example.com"] = [Undeliverable("no such nest")]
    lame.failures["sam.sponsor@example.com"] = [OSError("a broken wing")]
    request = asking(setting, notice(1, "sponsor"))
    for _ in range(3):
        await telling(setting.pool, sure, lame).notify_owners(request)
    assert (sure.carried, len(lame.carried)) == ([], 1)
    async with setting.pool.acquire() as conn:
        (found,) = await notices.listed(conn, None, [NoticeStatus.REFUSED], 10)
    assert (found.delivered, found.refused) == (("lame",), ("sure",))
    assert found.problem
    assert found.problem.startswith("sure: no such nest"), "why it was refused is forgotten"


async def test_what_was_refused_is_tried_again_when_somebody_asks_for_it(setting: Setting) -> None:
    sure, lame = Pigeon("sure"), Pigeon("lame")
    lame.failures["sam.sponsor@example.com"] = [Undeliverable("no such nest")]
    await telling(setting.pool, sure, lame).notify_owners(asking(setting, notice(1, "sponsor")))
    async with setting.pool.acquire() as conn:
        assert await notices.retry(conn, "another") == 0
        assert await notices.retry(conn, setting.plan.id) == 1
    assert await Delivery(setting.pool, (sure, lame)).deliver(None, SOON) == 1
    assert (len(sure.carried), len(lame.carried)) == (1, 1)


async def test_a_channel_that_is_away_costs_time_once_and_keeps_no_other(setting: Setting) -> None:
    class Gone(Pigeon):
        calls = 0

        async def send(self, letter: Letter) -> None:
            self.calls += 1
            await asyncio.sleep(0.1)
            raise Away("no answer")

    bird, gone = Pigeon("bird"), Gone("gone")
    many = [notice(number, "sponsor") for number in range(1, 31)]
    await telling(setting.pool, bird, gone).notify_owners(asking(setting, *many))
    assert len(bird.carried) == len(many)
    assert gone.calls <= setting.pool.get_max_size() // delivery.SHARE + 1
    assert await setting.pool.fetchval("select count(*) from notice where problem = 'gone: no answer'") == len(many)


async def test_a_channel_that_takes_for_ever_is_away(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE", 0.1)
    bird, slow = Pigeon("bird"), Pigeon("slow")
    slow.slow = 60
    many = [notice(number, "sponsor") for number in range(1, 31)]
    await telling(setting.pool, bird, slow).notify_owners(asking(setting, *many))
    assert len(bird.carried) == len(many)
    problems = await setting.pool.fetch("select distinct problem from notice where contact <> $1", PROGRAMS)
    assert [row["problem"] for row in problems] == ["slow: no answer within 0.1 s"]


# With what they are about.


async def test_an_entry_and_its_letters_are_recorded_together(setting: Setting) -> None:
    request = setting.recording(entry(1), status="paused").model_copy(update={"notices": (notice(1, "sponsor"),)})
    assert await recording(setting).record_decisions(request) == 1
    assert await recording(setting).record_decisions(request) == 0
    rows = await setting.pool.fetch("select contact, sent_at, about from notice order by contact")
    assert [(row["contact"], row["sent_at"]) for row in rows] == [(PROGRAMS, None), ("sam.sponsor@example.com", None)]
    assert rows[0]["about"]["status"] == "paused", "it says where the record says the rollout stands"


async def test_of_an_entry_whose_letters_cannot_be_queued_nothing_is_recorded(setting: Setting) -> None:
    await setting.pool.execute("alter table notice add check (kind <> 'paused')")
    request = setting.recording(entry(1), status="paused").model_copy(update={"notices": (notice(1),)})
    with pytest.raises(ApplicationError):
        await recording(setting).record_decisions(request)
    assert await setting.pool.fetchval("select count(*) from decision_log") == 0
    assert await setting.pool.fetchval("select status from rollout") == "running"


async def test_letters_go_out_though_nobody_asks_for_them_by_name(setting: Setting) -> None:
    request = setting.recording(entry(1)).model_copy(update={"notices": (notice(1, "sponsor"),)})
    await recording(setting).record_decisions(request)
    bird = Pigeon()
    assert await Delivery(setting.pool, (bird,)).deliver(None, SOON) == 1


async def test_what_a_record_has_queued_is_delivered_once(setting: Setting) -> None:
    request = setting.recording(entry(1)).model_copy(update={"notices": (notice(1, "sponsor"),)})
    await recording(setting).record_decisions(request)
    bird = Pigeon()
    assert await telling(setting.pool, bird).notify_owners(asking(setting, notice(1, "sponsor"))) == 1
    await recording(setting).record_decisions(request)
    assert await Delivery(setting.pool, (bird,)).deliver(None, SOON) == 0
    assert len(bird.carried) == 1


async def test_a_letter_lost_with_its_deliverer_is_free_again(setting: Setting) -> None:
    bird = Pigeon()
    bird.slow = 30
    request = asking(setting, notice(1, "sponsor"))
    lost = asyncio.create_task(telling(setting.pool, bird).notify_owners(request))
    await bird.flies.wait()
    assert await telling(setting.pool, bird).notify_owners(request) == 0, "taken while in other hands"
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    bird.slow = 0
    assert await telling(setting.pool, bird).notify_owners(request) == 1


async def test_a_rollout_the_store_does_not_know_tells_nobody(pool: Pool) -> None:
    with pytest.raises(ApplicationError) as caught:
        await telling(pool).notify_owners(asking(Setting(pool)))
    assert caught.value.type == "UnknownRollout"


async def test_a_relay_that_is_away_is_tried_again(setting: Setting) -> None:
    async with mail_relay() as relay:
        port = relay.port
    request = asking(setting, notice(1, "sponsor"))
    assert await telling(setting.pool, SmtpChannel("127.0.0.1", port)).notify_owners(request) == 0
    async with mail_relay() as relay:
        assert await telling(setting.pool, SmtpChannel("127.0.0.1", relay.port)).notify_owners(request) == 1
    assert [message["To"] for message in relay.taken] == ["sam.sponsor@example.com"]
