"""A letter about a gate or a pause carries the chart of what it is about: a file, and the same in words."""

from __future__ import annotations

import email
import email.policy
from datetime import date, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from activities import delivery
from activities.delivery import Delivery
from activities.smtp import SmtpChannel
from models.evidence import Assessment, Verdict
from models.rollout import Notice
from tests.activities.relay import mail_relay
from tests.activities.setting import DAY, SLA, START, Setting, entry, notice
from tests.activities.whole import WholeMetrics, effects_of
from tests.facts import slump
from tests.plans import PILOT

SOON = timedelta(seconds=30)
SVG = "{http://www.w3.org/2000/svg}"


class _Images(HTMLParser):
    """The images of a part in HTML, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))


async def judged(setting: Setting, days: int = 6) -> Assessment:
    """The pilot looked at on so many days while its partners stop following up in time; the newest verdict."""
    await slump(setting.pool, PILOT[:9], date(2026, 1, 12), date(2026, 3, 1))
    metrics = WholeMetrics(setting.pool)
    found = []
    for day in range(days):
        snapshot = await metrics.fetch_metrics(setting.fetching(START + day * DAY))
        found.append(await metrics.assess_thresholds(setting.assessing(snapshot.digest)))
    return found[-1]


async def told(setting: Setting, **fields: Any) -> EmailMessage:
    """The letter that a relay got of a notice with these facts, as mail programs read it."""
    one = Notice.model_validate(notice(1, "sponsor").model_dump() | fields)
    request = setting.recording(entry(1)).model_copy(update={"notices": (one,)})
    await effects_of(setting.pool).record_decisions(request)
    async with mail_relay() as relay:
        await Delivery(setting.pool, [SmtpChannel("127.0.0.1", relay.port)]).deliver(None, SOON)
    (message,) = relay.taken
    return email.message_from_bytes(message.as_bytes(), policy=email.policy.default)


def pictures(message: EmailMessage) -> list[EmailMessage]:
    return [one for one in message.walk() if one.get_content_type() == "image/svg+xml"]


async def test_the_letter_of_a_pause_carries_the_chart_of_the_guardrail_and_says_the_same_in_words(
    setting: Setting,
) -> None:
    verdict = await judged(setting)
    item = next(one for one in verdict.items if one.metric is SLA)
    assert item.verdict is Verdict.NOT_MET
    message = await told(setting, cause="guardrail", evidence_digest=verdict.digest)

    (picture,) = pictures(message)
    assert (picture.get_filename(), picture.get_content_disposition()) == ("lead-follow-up-sla-pilot.svg", "inline")
    drawing = ElementTree.fromstring(picture.get_content())  # noqa: S314  ours
    assert (drawing.get("width"), drawing.get("height")) == ("640", "240")
    assert "background:#fff" in (drawing.get("style") or "")
    lines = [one.get("class") for one in drawing.iter() if one.tag in (f"{SVG}line", f"{SVG}polyline")]
    assert {"value", "limit", "mark"} <= set(lines)
    (values,) = [one for one in drawing.iter(f"{SVG}polyline") if one.get("class") == "value"]
    assert len((values.get("points") or "").split()) == 6

    html = message.get_body(("html",))
    assert html is not None
    (shown,) = _Images(html.get_content()).found
    assert shown["src"] == f"cid:{picture['Content-ID'].strip('<>')}"
    assert shown["alt"] is not None
    plain = message.get_body(("plain",))
    assert plain is not None
    newest = f"{item.value:,.1f}"
    for text in (shown["alt"], plain.get_content()):
        assert f"6 readings from 2026-02-02 to 2026-02-07; the newest is {newest}." in text
        assert "Threshold >= " in text
    assert f"  2026-02-07  {newest}  not met" in plain.get_content()
    assert f"<td>2026-02-07</td><td>{newest}</td><td>not met</td>" in html.get_content()
    assert message.get_content_type() == "multipart/alternative"


async def test_the_letter_of_a_gate_carries_the_chart_of_the_metric_that_decides_up_to_its_evidence(
    setting: Setting,
) -> None:
    verdict = await judged(setting, days=3)
    metrics = WholeMetrics(setting.pool)
    later = await metrics.fetch_metrics(setting.fetching(START + 9 * DAY))
    await metrics.assess_thresholds(setting.assessing(later.digest))
    message = await told(setting, kind="awaiting", gate="pilot_to_validate", evidence_digest=verdict.digest)
    (picture,) = pictures(message)
    assert picture.get_filename() == "lead-follow-up-sla-pilot.svg"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "3 readings from 2026-02-02 to 2026-02-04" in plain.get_content()


@pytest.mark.parametrize(
    "facts",
    [
        {"cause": "person"},
        {"kind": "resumed"},
        {"cause": "guardrail", "evidence_digest": "sha256:" + "0" * 64},
        {"cause": "guardrail", "evidence_digest": None},
    ],
)
async def test_a_letter_about_no_numbers_carries_none(setting: Setting, facts: dict[str, Any]) -> None:
    verdict = await judged(setting, days=1)
    message = await told(setting, **{"evidence_digest": verdict.digest, **facts})
    assert pictures(message) == []
    assert "readings" not in message.get_content()


async def test_a_chart_that_cannot_be_drawn_keeps_no_letter_back(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        await setting.pool.fetchval("select 1 / 0")

    verdict = await judged(setting, days=1)
    monkeypatch.setattr(delivery, "pictures_of", broken)
    message = await told(setting, cause="guardrail", evidence_digest=verdict.digest)
    assert (message["To"], pictures(message)) == ("sam.sponsor@example.com", [])
