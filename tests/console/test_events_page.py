"""What docs/events.md shows is what happens: its requests are sent, its answers are given, its table is complete."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from store.events import EVENTS, ONE
from store.events.types import DATA
from tests.console.conftest import SMALL, Sender
from tests.docs.documents import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _BLOCK.finditer(PAGE) if found[1] in languages]


def request_of(command: str, key: str) -> tuple[str, str, dict[str, str], bytes | None]:
    """Method, path, headers and body of a curl command of the page."""
    words = shlex.split(command.replace("\\\n", " ").replace("$KEY", key))
    assert words.pop(0) == "curl"
    headers, body, path = {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "--data-binary":
            body = (ROOT / words.pop(0).removeprefix("@")).read_bytes()
        elif word not in ("-s", "-sS"):
            path = word.partition("127.0.0.1:8320")[2]
    return ("POST" if body is not None else "GET"), path, headers, body


async def test_its_requests_get_the_answers_that_it_shows(sender: Sender) -> None:
    """A block of json after a command is its answer; times and digests are what they are."""
    await sender.pool.execute(
        "insert into partner (partner_id, name, source_system, source_id, known_at)"
        " values ('crm-1001', 'Nordlicht', 'crm', '1001', '2020-01-01Z')"
    )
    shown = blocks("bash", "json")
    sent = 0
    for (language, text), (after, answer) in pairwise(shown):
        if language != "bash" or not text.startswith("curl"):
            continue
        method, path, headers, body = request_of(text, sender.key)
        told = await sender.client.request(method, path, headers=headers, content=body)
        assert after == "json", text
        assert _without_moments(told.json()) == _without_moments(json.loads(answer)), told.text
        sent += 1
    assert sent >= 4


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "..." if name == "received_at" else _without_moments(one) for name, one in value.items()}
    return [_without_moments(one) for one in value] if isinstance(value, list) else value


def test_its_table_has_every_type_with_its_fields() -> None:
    rows = {found[1]: found[0] for found in re.finditer(r"^\| `([a-z_]+\.[a-z_.]+)` \|.*$", PAGE, re.MULTILINE)}
    assert set(rows) == set(EVENTS)
    for name, (_, data) in DATA.items():
        fields = {
            f"**`{field.alias or one}`**" if field.is_required() else f"`{field.alias or one}`"
            for one, field in data.model_fields.items()
        }
        told = rows[name].split("|")[3]
        assert set(re.findall(r"\*\*`\w+`\*\*|`\w+`", told)) == fields, name


@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "events").glob("*.json")), ids=lambda file: file.name)
def test_its_files_hold_events_and_the_bad_one_does_not(file: Path) -> None:
    for one in json.loads(file.read_bytes()):
        if file.name == "bad.json":
            with pytest.raises(ValidationError):
                ONE.validate_python(one)
        else:
            ONE.validate_python(one)


def test_its_limits_are_the_settings_own() -> None:
    fields = type(SMALL).model_fields
    for name in (name for name in fields if name.startswith("console_")):
        assert f"`ROLLOUTS_{name.upper()}`" in PAGE, name
    assert "2 MiB" in PAGE
    assert fields["console_body_bytes"].default == 2 * 2**20
    assert f"{fields['console_batch_events'].default:,} events" in PAGE
