"""Notices reach programs as signed CloudEvents or Slack messages that other people's libraries accept."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook as Receiving
from standardwebhooks.webhooks import WebhookVerificationError

from activities.channels import Channel, Undeliverable
from activities.delivery import Delivery
from activities.envelope import HEADLINE, KINDS, PARAGRAPH, event_type, slack_message, slack_text
from activities.letters import Letter
from activities.outward import Outward, destination
from activities.webhooks import Form, Webhook, WebhookChannel, key_of, signature_headers
from models.letter import PROGRAMS
from models.rollout import Notice
from models.work import NotifyRequest
from store import notices
from tests.activities.receiver import Receiver, answer, receiving
from tests.activities.setting import START, Pool, Setting, notice
from tests.activities.test_notices import telling

SOON = timedelta(seconds=30)
OLD, NEW = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def webhook(receiver: Receiver, name: str = "crm", secrets: tuple[str, ...] = (OLD,), **fields: Any) -> WebhookChannel:
    to = destination(f"http://127.0.0.1:{receiver.port}/in", loopback=True)
    described = Webhook(name=name, to=to, secrets=tuple(map(SecretStr, secrets)), **fields)
    return WebhookChannel(described, Outward(loopback=True, within=30))


def paused() -> Notice:
    return notice(1, "sponsor").model_copy(
        update={
            "cause": "guardrail",
            "must_act": ("revops_owner",),
            "due": START,
            "programme_at": START,
            "evidence_digest": "sha256:e",
        }
    )


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    return await Setting(pool).register()


async def tell(setting: Setting, *channels: Channel) -> int:
    """Queue a notice, then deliver it as the watch does."""
    async with setting.pool.acquire() as conn, conn.transaction():
        await notices.queue(conn, setting.key, setting.plan, paused())
    await setting.pool.execute("delete from notice where contact <> $1", PROGRAMS)
    return await Delivery(setting.pool, channels, "https://rollouts.example.com").deliver(None, SOON)


async def test_a_receiver_s_libraries_accept_what_is_posted(setting: Setting) -> None:
    async with receiving() as receiver:
        assert await tell(setting, webhook(receiver)) == 1
    (post,) = receiver.posts
    assert post.line == "POST /in HTTP/1.1"
    body = Receiving(OLD).verify(post.body, post.headers)
    event = from_structured(HTTPMessage(headers=post.headers, body=post.body), JSONFormat())
    assert event.get_id() == body["id"] == post.headers["webhook-id"]
    assert set(body) == {
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"),
    }
    assert (event.get_specversion(), event.get_source()) == ("1.0", "/partner-rollouts")
    assert event.get_type() == "io.partner-rollouts.rollout.paused.v1"
    assert (event.get_subject(), event.get_datacontenttype()) == ("rollout/test-plan", "application/json")
    written = event.get_time()
    assert written is not None
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=5)
    assert event.get_data() == {
        "rollout": "test-plan",
        "chain": "chain-1",
        "title": setting.plan.title,
        "kind": "paused",
        "subject": "Test plan: paused",
        "text": "The lead follow-up SLA of pilot is not met.",
        "status": "running",
        "phase": "prepare",
        "wave": None,
        "cause": "guardrail",
        "gate": None,
        "programme_at": "2026-02-02T00:00:00Z",
        "due": "2026-02-02T00:00:00Z",
        "must_act": [
            {"role": one.role, "name": one.name, "identity": one.identity}
            for one in setting.plan.holders("revops_owner")
        ],
        "plan_digest": setting.plan.digest,
        "evidence_digest": "sha256:e",
        "log": None,
        "link": "https://rollouts.example.com/rollouts/test-plan",
    }


async def test_while_a_secret_is_replaced_either_of_them_verifies_and_no_third(setting: Setting) -> None:
    async with receiving() as receiver:
        await tell(setting, webhook(receiver, secrets=(NEW, OLD)))
    (post,) = receiver.posts
    for secret in (OLD, NEW):
        Receiving(secret).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Receiving("whsec_" + base64.b64encode(b"3" * 32).decode()).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Receiving(OLD).verify(post.body.replace(b"guardrail", b"person"), post.headers)
    for header in ("webhook-id", "webhook-timestamp"):
        with pytest.raises(WebhookVerificationError):
            Receiving(OLD).verify(post.body, post.headers | {header: f"{int(post.headers['webhook-timestamp']) - 1}"})


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signature_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, (key_of(secret),))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?", "whsec_AAAA", "whsec_" + "A" * 200]
)
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|bytes") as caught:
        key_of(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(caught.value)


async def test_a_receiver_that_is_not_ready_gets_the_same_event_again(setting: Setting) -> None:
    async with receiving() as receiver:
        receiver.answers = [answer(503, "later"), answer(429), answer(301, "", "location: http://127.0.0.1:1/")]
        channel = webhook(receiver)
        for problem in ("answered 503: later", "answered 429", "redirects are not followed"):
            assert await tell(setting, channel) == 0
            assert problem in await setting.pool.fetchval("select problem from notice")
            assert await setting.pool.fetchval("select next_try_at > now() + interval '20 s' from notice")
            await setting.pool.execute("update notice set next_try_at = now()")
        assert await tell(setting, channel) == 1
    assert len(receiver.posts) == 4
    assert len({post.body for post in receiver.posts}) == 1, "the event changed between two attempts"
    assert len({post.headers["webhook-id"] for post in receiver.posts}) == 1


@pytest.mark.parametrize("status", [400, 410, 422])
async def test_an_event_that_a_receiver_will_never_take_is_refused(setting: Setting, status: int) -> None:
    async with receiving() as receiver:
        receiver.answers = [answer(status, "no\nsuch\tthing")]
        assert await tell(setting, webhook(receiver)) == 0
        assert await tell(setting, webhook(receiver)) == 0
    found = await setting.pool.fetchrow("select refused, problem, refused_at is not null from notice")
    assert found == (["webhook:crm"], f"webhook:crm: answered {status}: no such thing", True)


async def test_a_webhook_that_fails_keeps_no_other(setting: Setting) -> None:
    async with receiving() as lame, receiving() as sure:
        lame.answers = [answer(500)]
        channels = (webhook(lame, "lame"), webhook(sure, "sure"))
        assert await tell(setting, *channels) == 0
        await setting.pool.execute("update notice set next_try_at = now()")
        assert await tell(setting, *channels) == 1
    assert (len(lame.posts), len(sure.posts)) == (2, 1)
    assert lame.posts[0].headers["webhook-id"] != sure.posts[0].headers["webhook-id"]


async def test_a_webhook_gets_the_kinds_it_asks_for(setting: Setting) -> None:
    async with receiving() as receiver:
        await tell(setting, webhook(receiver, kinds=frozenset({"completed"})))
        assert not receiver.posts
    async with receiving() as receiver:
        async with setting.pool.acquire() as conn, conn.transaction():
            await notices.queue(conn, setting.key, setting.plan, notice(2, "sponsor", kind="review"))
        channel = webhook(receiver, kinds=frozenset({"checkpoint-due"}))
        assert await Delivery(setting.pool, (channel,)).deliver(None, SOON) == 1
    assert json.loads(receiver.posts[0].body)["type"] == event_type("checkpoint-due"), "its name of former days"


async def test_who_dies_between_the_post_and_the_mark_posts_again_under_the_same_id(setting: Setting) -> None:
    """The receiver has taken the event, and the deliverer dies before it can write that down."""
    async with receiving() as receiver:
        receiver.hang = asyncio.Event()
        lost = asyncio.create_task(tell(setting, webhook(receiver)))
        await receiver.arrived.wait()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        receiver.hang.set()
        assert await tell(setting, webhook(receiver)) == 1
        assert await tell(setting, webhook(receiver)) == 0
    first, second = receiver.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_the_activity_posts_at_once(setting: Setting) -> None:
    async with receiving() as receiver:
        request = NotifyRequest(key=setting.key, notices=(paused(),))
        assert await telling(setting.pool, webhook(receiver)).notify_owners(request) == 1
        assert await telling(setting.pool, webhook(receiver)).notify_owners(request) == 0
    assert len(receiver.posts) == 1


# As Slack shows it.


def letter(subject: str = "Plan: paused", body: str = "The SLA is not met.", **about: Any) -> Letter:
    return Letter(
        notice_id="plan/chain/1/paused",
        contact=PROGRAMS,
        rollout_id="plan",
        kind="paused",
        subject=subject,
        body=body,
        about=about,
        link="https://rollouts.example.com/rollouts/plan",
        written_at=START,
    )


async def test_slack_gets_a_text_and_blocks_and_no_signature(setting: Setting) -> None:
    async with receiving() as receiver:
        assert await tell(setting, webhook(receiver, secrets=(), form=Form.SLACK)) == 1
    (post,) = receiver.posts
    assert post.headers["content-type"] == "application/json"
    assert not [name for name in post.headers if name.startswith("webhook-")]
    message = json.loads(post.body)
    assert set(message) == {"text", "blocks"}
    told = json.dumps(message, ensure_ascii=False)
    (owner,) = setting.plan.holders("revops_owner")
    for part in ("Test plan: paused", owner.name, "<https://rollouts.example.com/rollouts/test-plan|Open the rollout>"):
        assert part in told


def test_nothing_in_a_reason_is_a_mention_or_a_link_in_slack() -> None:
    nasty = "<!channel> <@U1> <https://evil.example.com|Open the rollout> & more"
    owner = {"role": "sponsor", "name": "<!here>", "identity": "x@example.com"}
    message = json.loads(slack_message(letter(nasty, nasty, must_act=[owner])))
    header, *sections = message["blocks"]
    assert header["text"]["type"] == "plain_text"
    told = [message["text"], *(one["text"]["text"] for one in sections)]
    assert "".join(told).count("<") == 1, "only our own link is one"
    assert "&lt;!channel&gt;" in told[0]


@pytest.mark.parametrize("body", ["<" * 5000, "&" * 3000, "x" * PARAGRAPH, "x" * (PARAGRAPH - 2) + "&&", ""])
def test_slack_s_limits_are_kept_without_cutting_an_escaped_character(body: str) -> None:
    header, section, *_ = json.loads(slack_message(letter("s" * 1000, body)))["blocks"]
    assert len(header["text"]["text"]) <= HEADLINE
    text = section["text"]["text"]
    assert 1 <= len(text) <= PARAGRAPH
    rest = text
    for entity in ("&amp;", "&lt;", "&gt;"):
        rest = rest.replace(entity, "")
    assert "&" not in rest


def test_a_short_text_stays_as_it_is() -> None:
    assert slack_text("a & b") == "a &amp; b"


def test_every_kind_has_an_event_of_its_own() -> None:
    types = {event_type(kind) for kind in KINDS}
    assert len(types) == len(KINDS)
    assert all(one.startswith("io.partner-rollouts.rollout.") and one.endswith(".v1") for one in types)


async def test_a_final_answer_says_so_to_the_outbox() -> None:
    async with receiving() as receiver:
        receiver.answers = [answer(410, "gone")]
        with pytest.raises(Undeliverable, match="answered 410: gone"):
            await webhook(receiver).send(letter())
