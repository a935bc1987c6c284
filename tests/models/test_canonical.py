"""The quick way to canonical JSON writes what the standard's own library writes, byte by byte."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from models.canonical import canonical


class _Word(StrEnum):
    MET = "met"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(_Word),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=30,
)


def _attempt(write: Any, value: Any) -> Any:
    try:
        return write(value)
    except Exception as problem:
        return type(problem)


@given(ANYTHING)
def test_it_writes_or_refuses_what_the_library_does(value: Any) -> None:
    assert _attempt(canonical, value) == _attempt(rfc8785.dumps, value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # Examples of RFC 8785, section 3.2.2 and appendix B, and the edges between both ways.
        ([333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], b"[333333333.3333333,1e+30,4.5,0.002,1e-27]"),
        ([0.0, -0.0, 1.0, -1.0], b"[0,0,1,-1]"),
        ([1e-4, 9.9e-5, 1e-6, 1e-7], b"[0.0001,0.000099,0.000001,1e-7]"),
        (
            [1e-9, 9.999999999999999e-10, -1e-10, 1.5e-300, 5e-324],
            b"[1e-9,9.999999999999999e-10,-1e-10,1.5e-300,5e-324]",
        ),
        ([9007199254740991.0, 9007199254740992.0, 1e16, 1e20, 1e21], None),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}, None),
        ('\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028', None),
        ({"b": [1, "\u00fc"], "a": None, "c": {"z": True, "y": False}}, None),
    ],
)
def test_numbers_and_names_are_written_as_the_standard_says(value: Any, written: bytes | None) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert written is None or canonical(value) == written
    by_name = dict(enumerate(value)) if type(value) is list else {0: value}
    named = {f"n{number}": one for number, one in by_name.items()}
    assert canonical(named) == rfc8785.dumps(named)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**60), "\ud800", {1: "one"}, object(), {1.5}])
def test_what_is_no_json_is_refused_as_ever(value: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever the library raises
        rfc8785.dumps(value)
    for one in (value, [value], {"n": value}):
        with pytest.raises(expected.type):
            canonical(one)
