"""Letters to people: each once in a Maildir, or through a relay that may be away, put off, refuse, or encrypt."""

from __future__ import annotations

import email
import email.policy
import mailbox
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest

from activities.channels import Away, MaildirChannel, Undeliverable
from activities.letters import Letter
from activities.smtp import SmtpChannel, StartTls
from tests.activities.receiver import certified
from tests.activities.relay import mail_relay
from tests.activities.setting import START


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


@pytest.mark.parametrize("made", [(), ("tmp",), ("tmp", "new")], ids=["nothing", "one folder", "two folders"])
async def test_a_maildir_that_somebody_died_making_is_made_to_its_end(tmp_path: Path, made: tuple[str, ...]) -> None:
    (tmp_path / "mail").mkdir()
    for folder in made:
        (tmp_path / "mail" / folder).mkdir()
    await MaildirChannel(tmp_path / "mail").send(letter())
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


@pytest.mark.parametrize("where", ["DATA", "MAIL", "sam@example.com"])
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


async def test_what_a_relay_says_of_itself_is_not_its_last_word_on_a_letter() -> None:
    async with mail_relay() as relay:
        port = relay.port
    with pytest.raises(Away, match="ConnectError"):
        await SmtpChannel("127.0.0.1", port).send(letter())


async def test_tls_is_used_where_it_is_offered_and_required_only_if_the_relay_is_who_it_says(tmp_path: Path) -> None:
    server, trust = certified(tmp_path, "localhost")
    async with mail_relay(server) as relay:
        await SmtpChannel("localhost", relay.port).send(letter())
        assert (relay.encrypted, len(relay.taken)) == (1, 1)
        await SmtpChannel("localhost", relay.port, starttls=StartTls.NEVER).send(letter())
        assert (relay.encrypted, len(relay.taken)) == (1, 2)
        with pytest.raises(Away, match="certificate"):
            await SmtpChannel("localhost", relay.port, starttls=StartTls.REQUIRED).send(letter())
        with pytest.raises(Away, match="certificate"):
            await SmtpChannel("127.0.0.1", relay.port, starttls=StartTls.REQUIRED, trust=trust).send(letter())
        assert len(relay.taken) == 2
        await SmtpChannel("localhost", relay.port, starttls=StartTls.REQUIRED, trust=trust).send(letter())
        assert len(relay.taken) == 3


async def test_where_tls_is_required_a_relay_without_it_gets_nothing() -> None:
    async with mail_relay() as relay:
        for login in (None, ("rollouts", "secret")):
            channel = SmtpChannel("127.0.0.1", relay.port, starttls=StartTls.REQUIRED, login=login)
            with pytest.raises(Exception, match="STARTTLS"):
                await channel.send(letter())
    assert (relay.taken, relay.logins) == ([], [])


async def test_a_login_goes_to_a_proven_relay_and_its_refusal_refuses_no_letter(tmp_path: Path) -> None:
    server, trust = certified(tmp_path, "localhost")
    async with mail_relay(server) as relay:
        channel = SmtpChannel(
            "localhost", relay.port, starttls=StartTls.REQUIRED, trust=trust, login=("rollouts", "secret")
        )
        await channel.send(letter())
        assert relay.logins == [b"\0rollouts\0secret"]
        relay.answers["AUTH"] = b"535 who are you"
        with pytest.raises(Exception, match="who are you") as caught:
            await channel.send(letter())
        assert not isinstance(caught.value, Undeliverable)
        assert "secret" not in str(caught.value)
    assert len(relay.taken) == 1


async def test_a_letter_with_a_link_says_the_same_in_html_and_the_link_only_opens_a_page() -> None:
    linked = letter("Paused <b>&", "First <script>line\nsecond").model_copy(
        update={"link": "https://rollouts.example.com/rollouts/plan"}
    )
    async with mail_relay() as relay:
        await SmtpChannel("127.0.0.1", relay.port).send(linked)
    (message,) = relay.taken
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == [
        "First <script>line",
        "second",
        "",
        "https://rollouts.example.com/rollouts/plan",
    ]
    told = html.get_content()
    assert "First &lt;script&gt;line<br>" in told
    assert "<title>Paused &lt;b&gt;&amp;</title>" in told
    assert told.count("href=") == 1
    assert '<a href="https://rollouts.example.com/rollouts/plan">' in told
    assert "<form" not in told


async def test_a_letter_goes_to_its_contact_and_to_nobody_whom_its_text_names() -> None:
    async with mail_relay() as relay:
        relay.answers["evil@example.com"] = b"550 nobody else may be asked for"
        await SmtpChannel("127.0.0.1", relay.port).send(
            letter("x\r\nBcc: evil@example.com", "\r\nTo: evil@example.com")
        )
    (message,) = relay.taken
    assert (message["To"], message["Bcc"]) == ("sam@example.com", None)
