"""Whose signatures count: the file as it is now, and in words what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.trust import LARGEST, KeyActivities, Trust, Unusable, read_keys
from models.claims import DecisionKeys
from models.work import KeysRequest, RolloutKey
from tests.signing import Pen, write_keys

ASKED = KeysRequest(key=RolloutKey(rollout_id="test-plan", chain_id="chain-1"))


async def keys(file: Path | None) -> DecisionKeys:
    found: DecisionKeys = await ActivityEnvironment().run(KeyActivities(Trust(file, "here")).decision_keys, ASKED)
    return found


async def test_the_file_is_read_anew_at_every_ask(tmp_path: Path) -> None:
    file, old, new = tmp_path / "keys.json", Pen("old"), Pen("new")
    write_keys(file, old)
    assert await keys(file) == DecisionKeys(audience="here", keys=(old.public,))
    write_keys(file, new, old)
    assert [one.kid for one in (await keys(file)).keys] == ["new", "old"]


async def test_what_a_key_says_of_its_use_is_passed_over(tmp_path: Path) -> None:
    pen = Pen()
    key = {**pen.public.model_dump(), "use": "sig", "alg": "Ed25519", "key_ops": ["verify"]}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key]}))
    assert await keys(tmp_path / "keys.json") == DecisionKeys(audience="here", keys=(pen.public,))


async def test_without_a_file_the_error_names_the_setting() -> None:
    with pytest.raises(ApplicationError, match="ROLLOUTS_DECISION_KEYS is not set") as caught:
        await keys(None)
    assert (caught.value.type, caught.value.non_retryable) == ("KeysUnavailable", False)


GOOD = Pen().public.model_dump()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\ud800", "is not JSON"),
        ("x" * (LARGEST + 1), f"more than {LARGEST} bytes"),
        ([], "has no keys"),
        ({"keys": []}, "has no keys"),
        ({"keys": {}}, "has no keys"),
        ({"keys": [1]}, "key 1 of .* is no public Ed25519 key"),
        ({"keys": [GOOD, {**GOOD, "crv": "X25519"}]}, "key 2 of .* is no public Ed25519 key"),
        ({"keys": [{**GOOD, "kty": "RSA"}]}, "is no public Ed25519 key"),
        ({"keys": [{**GOOD, "x": "too short"}]}, "is no public Ed25519 key"),
        ({"keys": [{**GOOD, "kid": None}]}, "is no public Ed25519 key"),
        ({"keys": [{**GOOD, "d": "secret"}]}, "is private; workers are given public keys only"),
        ({"keys": [GOOD, GOOD]}, "two keys of one kid"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_words(tmp_path: Path, content: Any, said: str) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(Unusable, match=said) as caught:
        read_keys(file, "here")
    assert "secret" not in str(caught.value)
