"""Nothing that a bundle may hold crashes who examines it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from audit.bundle import LOG, MANIFEST, PLAN
from tests.audit.attacks import (
    BUNDLE,
    EVIDENCE,
    HISTORY,
    LEAN,
    LEAN_BUNDLE,
    LEAN_FILES,
    SIGNED_FILES,
    WHOLE,
    beside_evidence,
    forged,
    places,
    put,
    report_of,
)

JUNK: tuple[Any, ...] = (None, True, -1, 10**30, 1e308, "", "\ud800", "x" * 5000, [], [[]], {}, {"a": {"b": []}})


@pytest.mark.parametrize("path", [PLAN, MANIFEST, "keys/decisions.json", EVIDENCE[0], EVIDENCE[1], HISTORY])
def test_no_junk_in_any_place_of_a_file_crashes_the_verification(path: str) -> None:
    draw = random.Random(f"junk {path}")
    value = json.loads(BUNDLE[path])
    all_places = list(places(value))
    for place in draw.sample(all_places, min(len(all_places), 20 if path == HISTORY else 40)):
        content = json.dumps(put(value, place, draw.choice(JUNK))).encode()
        if path == MANIFEST:
            assert beside_evidence(report_of({**LEAN_BUNDLE, MANIFEST: content}, LEAN))
        else:
            report = forged({**LEAN_FILES, path: content}, LEAN)
            assert beside_evidence(report) or path == HISTORY


def test_no_junk_in_an_entry_crashes_the_verification() -> None:
    draw = random.Random("entries")
    for _ in range(50):
        number = draw.randrange(len(WHOLE.leaves))
        leaf = json.loads(WHOLE.leaves[number])
        content = json.dumps(put(leaf, draw.choice(list(places(leaf))), draw.choice(JUNK))).encode()
        leaves = [*WHOLE.leaves[:number], content, *WHOLE.leaves[number + 1 :]]
        assert beside_evidence(forged({**LEAN_FILES, LOG: b"\n".join(leaves) + b"\n"}, LEAN))


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b"NaN", b'{"a":1,"a":2}']
)
def test_no_file_can_be_replaced_by_garbage_that_crashes_it(content: bytes) -> None:
    for path in [*SIGNED_FILES, HISTORY]:
        assert beside_evidence(forged({**LEAN_FILES, path: content}, LEAN)) or path == "keys/log.txt", path
    assert report_of({**LEAN_BUNDLE, MANIFEST: content}, LEAN).wrong
    assert report_of({}).wrong
