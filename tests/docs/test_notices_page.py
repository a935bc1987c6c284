"""The page on notices names every kind and field, and its example tells a genuine event from any other."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities.envelope import KINDS, cloudevent
from activities.letters import Letter
from activities.outward import ANSWER_BYTES, WITHIN
from activities.webhooks import FINAL, key_of, signature_headers
from models.letter import PROGRAMS
from tests.activities.setting import START
from tests.docs.documents import ROOT
from worker.webhooks import FIELDS, read_webhooks

PAGE = (ROOT / "docs" / "notices.md").read_text(encoding="utf-8")
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.parametrize(("name", "meanings"), [("kinds", KINDS), ("fields", FIELDS)])
def test_a_table_says_what_the_code_says(name: str, meanings: dict[str, str]) -> None:
    (table,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", PAGE, re.DOTALL)
    assert table.splitlines()[2:] == [f"| `{one}` | {meaning} |" for one, meaning in meanings.items()]


def test_the_page_says_the_numbers_that_hold() -> None:
    *most, last = sorted(FINAL)
    assert f"answers {', '.join(map(str, most))} or {last};" in PAGE
    assert f"no longer than {WITHIN:g} s" in PAGE
    assert f"{ANSWER_BYTES // 1024} KiB" in PAGE


def test_the_file_of_the_example_can_be_used(tmp_path: Path) -> None:
    for name, text in (("crm.secret", SECRET), ("webhooks.yaml", block("yaml"))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    assert [one.name for one in read_webhooks(tmp_path / "webhooks.yaml")] == ["crm", "channel-team"]


def test_an_event_has_the_fields_of_the_example() -> None:
    event, example = json.loads(cloudevent(_letter(), "webhook:crm")), json.loads(block("json"))
    assert list(event) == list(example)
    assert list(event["data"]) == list(example["data"])
    assert event["type"] == example["type"]
    assert event["subject"] == example["subject"]


def test_the_example_tells_a_genuine_event_from_any_other() -> None:
    scope: dict[str, Any] = {}
    exec(block("python"), scope)  # noqa: S102
    genuine: Callable[..., bool] = scope["genuine"]
    body, at = cloudevent(_letter(), "webhook:crm"), int(time.time())
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    headers = signature_headers("id", at, body, (key_of(other), key_of(SECRET)))
    assert genuine(SECRET, headers, body)
    assert not genuine(SECRET, headers, body + b" ")
    assert not genuine(SECRET, headers | {"webhook-id": "other"}, body)
    assert not genuine(SECRET, signature_headers("id", at, body, (key_of(other),)), body)
    assert not genuine(SECRET, signature_headers("id", at - 600, body, (key_of(SECRET),)), body)


def _letter() -> Letter:
    return Letter(
        notice_id="gold-tier-rebate/chain/7/paused",
        contact=PROGRAMS,
        rollout_id="gold-tier-rebate",
        kind="paused",
        subject="Gold tier rebate: paused",
        body="why",
        written_at=START,
    )
