"""Leaves: one way to write an entry down, and none that says something else in the same bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import NotSound
from audit.leaves import leaf_bytes, read_leaf

LINE = leaf_bytes(
    "leads", "chain-1", "run-1", 1, {"sequence": 1, "message": "Pause - 髙橋", "detail": {"b": 1.0, "a": 0.5}}
)

_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


def test_a_leaf_is_one_canonical_line() -> None:
    assert LINE.decode() == (
        '{"chain":"chain-1","entry":{"detail":{"a":0.5,"b":1},"message":"Pause - 髙橋","sequence":1},'
        '"rollout":"leads","run":"run-1","sequence":1}'
    )
    assert read_leaf(LINE).entry["message"] == "Pause - 髙橋"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), _JSON, max_size=4))
def test_a_leaf_is_the_same_however_often_it_was_written_and_read(detail: dict[str, Any]) -> None:
    line = leaf_bytes("leads", "chain-1", "run-1", 1, {"sequence": 1, "detail": detail})
    assert b"\n" not in line
    leaf = read_leaf(line)
    assert leaf_bytes(leaf.rollout, leaf.chain, leaf.run, leaf.sequence, leaf.entry) == line
    # jsonb writes numbers out, so that it gives back a large fraction as a whole number.
    stored = json.loads(json.dumps(detail), parse_float=_as_jsonb)
    assert leaf_bytes("leads", "chain-1", "run-1", 1, {"sequence": 1, "detail": stored}) == line


def _as_jsonb(text: str) -> float | int:
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else float(text)


def test_a_number_that_cannot_be_written_exactly_has_no_leaf() -> None:
    with pytest.raises(NotSound, match="the number 9007199254740993 cannot be written exactly"):
        leaf_bytes("leads", "chain-1", "run-1", 1, {"sequence": 1, "detail": {"n": 2**53 + 1}})
    with pytest.raises(NotSound):
        leaf_bytes("leads", "chain-1", "run-1", 1, {"sequence": 1, "detail": {"n": 10**400}})
    with pytest.raises(NotSound):
        leaf_bytes("leads", "chain-1", "run-1", 1, {"sequence": 1, "detail": {"n": float("nan")}})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"sequence":1}', '"sequence":2}', "not that of its sequence|not written canonically"),
        ('"run":"run-1",', "", "says rollout, chain, run, sequence, entry, and nothing else"),
        ('"run":"run-1"', '"run":"run-1","more":1', "and nothing else"),
        ('"run":"run-1"', '"run":1', "run of the leaf is no text"),
        ('"run":"run-1"', '"run":"run-0","run":"run-1"', "not written canonically"),
        ('"run":', '"run": ', "not written canonically"),
        ('"b":1', '"b":1.0', "not written canonically"),
        ("0.5", "NaN", "no canonical form"),
        ('{"chain"', '["chain"', "no JSON"),
        ('"sequence":1}', '"sequence":true}', "no number|not that of its sequence"),
    ],
)
def test_what_is_no_leaf_is_refused_by_what_is_wrong(old: str, new: str, why: str) -> None:
    text = LINE.decode()
    assert old in text
    with pytest.raises(NotSound, match=why):
        read_leaf(text.replace(old, new, 1).encode())


@pytest.mark.parametrize("line", [b"", b"\xff", b"[]", b"1", b'"x"', b"[" * 100_000, LINE + b"\n", LINE[:-1]])
def test_whatever_is_brought_as_a_leaf_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(NotSound):
        read_leaf(line)


@given(st.binary(max_size=200))
def test_no_random_bytes_are_a_leaf(line: bytes) -> None:
    with pytest.raises(NotSound):
        read_leaf(line)
