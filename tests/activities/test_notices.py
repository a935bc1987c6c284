"""Notices go out once per person: through the outbox, over every channel, whatever fails in between."""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.channels import Channel, Letter, MaildirChannel, SmtpChannel, Undeliverable
from activities.delivery import Delivery
from activities.notices import NoticeActivities, recipients
from models.rollout import Notice
from models.work import NotifyRequest
from tests.activities.relay import mail_relay
from tests.activities.setting import START, Pool, Setting, notice
from tests.plans import make_plan

SOON = timedelta(seconds=30)


class Pigeon:
    """A channel whose bird may be told to fail: what it carried, and to whom."""

    def __init__(self, name: str = "pigeon") -> None:
        self.name = name
        self.carried: list[tuple[str, str]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.slow = 0.0

    async def send(self, letter: Letter) -> None:
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
    assert await telling(setting.pool).notify_owners(asking(setting)) == 2
    assert await setting.pool.fetchval("select count(*) from notice where sent_at is not null") == 2


async def test_a_failing_channel_fails_neither_the_rollout_nor_other_letters(setting: Setting) -> None:
    bird = Pigeon()
    bird.failures["sam.sponsor@example.com"] = [OSError("lost in fog"), TimeoutError("still foggy")]
    assert await telling(setting.pool, bird).notify_owners(asking(setting)) == 1
    delivery = Delivery(setting.pool, (bird,))
    assert await delivery.deliver(None, SOON) == 0, "tried again before its time"
    await due_again(setting.pool)
    assert await delivery.deliver(None, SOON) == 0
    assert await setting.pool.fetchrow("select attempts, problem from notice where sent_at is null") == (
        2,
        "pigeon: TimeoutError: still foggy",
    )
    assert await setting.pool.fetchval("select next_try_at - now() > '50 s' from notice where sent_at is null")
    await due_again(setting.pool)
    assert await delivery.deliver(None, SOON) == 1
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
    row = await setting.pool.fetchrow("select problem, sent_at, refused_at is not null from notice")
    assert row == ("pigeon: no such nest", None, True)
    assert bird.carried == []


async def test_what_takes_too_long_is_left_for_later(setting: Setting) -> None:
    bird = Pigeon()
    bird.slow = 0.1
    await telling(setting.pool).notify_owners(asking(setting, notice(kind="first")))
    await setting.pool.execute("update notice set sent_at = null, next_try_at = now()")
    delivery = Delivery(setting.pool, (bird,))
    assert await delivery.deliver(None, timedelta(seconds=0.05)) == 1
    await due_again(setting.pool)
    assert await delivery.deliver(None, SOON) == 1


async def test_a_letter_lost_with_its_deliverer_is_free_again(setting: Setting) -> None:
    bird = Pigeon()
    bird.slow = 30
    request = asking(setting, notice(1, "sponsor"))
    lost = asyncio.create_task(telling(setting.pool, bird).notify_owners(request))
    await asyncio.sleep(0.2)
    assert await telling(setting.pool, bird).notify_owners(request) == 0, "taken while in other hands"
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    bird.slow = 0
    assert await telling(setting.pool, bird).notify_owners(request) == 1


async def test_a_rollout_the_store_does_not_know_tells_nobody(pool: Pool) -> None:
    with pytest.raises(ApplicationError) as caught:
        await telling(pool).notify_owners(asking(Setting(pool)))
    assert caught.value.type == "UnknownRollout"


# The channels.


def letter(subject: str = "Plan: paused", body: str = "The SLA is not met.") -> Letter:
    return Letter(
        notice_id="plan/chain/1/paused",
        contact="sam@example.com",
        rollout_id="plan",
        subject=subject,
        body=body,
        written_at=START,
    )


def read(directory: Path) -> Sequence[EmailMessage]:
    box = mailbox.Maildir(directory, create=False)
    return [email.message_from_bytes(box.get_bytes(key), policy=email.policy.default) for key in box.keys()]  # noqa: SIM118


async def test_a_maildir_holds_each_letter_once(tmp_path: Path) -> None:
    channel = MaildirChannel(tmp_path / "mail", "rollouts@example.com")
    for _ in range(2):
        await channel.send(letter())
    (message,) = read(tmp_path / "mail")
    assert (message["From"], message["To"]) == ("rollouts@example.com", "sam@example.com")
    assert (message["Subject"], message["X-Partner-Rollout"]) == ("Plan: paused", "plan")
    assert message["Date"].datetime == START
    assert message.get_content() == "The SLA is not met.\n"


async def test_a_letter_that_was_read_is_still_there_once(tmp_path: Path) -> None:
    channel = MaildirChannel(tmp_path / "mail")
    await channel.send(letter())
    (unread,) = (tmp_path / "mail" / "new").iterdir()
    unread.rename(tmp_path / "mail" / "cur" / f"{unread.name}:2,S")
    await channel.send(letter())
    assert len(read(tmp_path / "mail")) == 1


async def test_letters_to_two_people_are_two(tmp_path: Path) -> None:
    channel = MaildirChannel(tmp_path / "mail")
    await channel.send(letter())
    await channel.send(letter().model_copy(update={"contact": "eva@example.com"}))
    assert len({message["Message-ID"] for message in read(tmp_path / "mail")}) == 2


@pytest.mark.parametrize("subject", ["Paused\r\nBcc: evil@example.com", "Paused\nX: y", "計画が一時停止"])
async def test_a_subject_is_one_header_whatever_it_holds(tmp_path: Path, subject: str) -> None:
    await MaildirChannel(tmp_path / "mail").send(letter(subject, "本文\n.\n終わり"))
    (message,) = read(tmp_path / "mail")
    assert message["Subject"] == " ".join(subject.split())
    assert (message["Bcc"], message["X"]) == (None, None)
    assert message.get_content() == "本文\n.\n終わり\n"


async def test_a_relay_takes_a_letter() -> None:
    async with mail_relay() as relay:
        channel = SmtpChannel("127.0.0.1", relay.port, "rollouts@example.com")
        await channel.send(letter())
    (message,) = relay.taken
    assert (message["To"], message["Subject"]) == ("sam@example.com", "Plan: paused")
    assert message["Message-ID"] == letter().message("x@y")["Message-ID"]


@pytest.mark.parametrize("where", ["DATA", "sam@example.com"])
async def test_a_relay_s_last_word_is_final_and_its_later_is_not(where: str) -> None:
    async with mail_relay() as relay:
        channel = SmtpChannel("127.0.0.1", relay.port)
        relay.answers[where] = b"550 no such person"
        with pytest.raises(Undeliverable, match="550 no such person"):
            await channel.send(letter())
        relay.answers[where] = b"451 come again"
        with pytest.raises(OSError, match="come again"):
            await channel.send(letter())
        del relay.answers[where]
        await channel.send(letter())
    assert len(relay.taken) == 1


async def test_a_relay_that_is_away_is_tried_again(setting: Setting) -> None:
    async with mail_relay() as relay:
        port = relay.port
    request = asking(setting, notice(1, "sponsor"))
    assert await telling(setting.pool, SmtpChannel("127.0.0.1", port)).notify_owners(request) == 0
    async with mail_relay() as relay:
        assert await telling(setting.pool, SmtpChannel("127.0.0.1", relay.port)).notify_owners(request) == 1
    assert [message["To"] for message in relay.taken] == ["sam.sponsor@example.com"]
