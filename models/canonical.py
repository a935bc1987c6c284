"""Canonical JSON (RFC 8785), quickly: what Python's own encoder writes the same way is left to it.

Evidence of a few hundred partners is tens of thousands of numbers. Written one by one they take most of the time in
which a breach is judged.
"""

from __future__ import annotations

import json
from typing import Any

import rfc8785

_SAFE = 2**53
"""Whole numbers below are the same number to everybody."""

_SMALL = 1e-4
"""Fractions from here on are written without an exponent by Python, as the standard has them written."""

_TINY = 1e-9
"""Below, both write an exponent, and of two digits or more: the standard has no zero before a single one. What two
numbers that are all but the same differ by is of this kind."""


class _OtherWay(Exception):
    """Something that Python's encoder may write in another way."""


_AS_IT_IS = frozenset({str, bool, type(None)})

_WRITE = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def canonical(value: Any) -> bytes:
    """What `rfc8785.dumps` gives, and raises what it raises."""
    try:
        return _WRITE(_plain(value)).encode()
    except (_OtherWay, UnicodeEncodeError):
        return rfc8785.dumps(value)


def _plain(value: Any) -> Any:
    """The value with whole numbers as integers; only what both ways write alike."""
    kind = type(value)
    if kind is dict:
        return _object(value)
    if kind is list or kind is tuple:
        return [one if type(one) in _AS_IT_IS else _plain(one) for one in value]
    if kind is float:
        return _number(value)
    if kind in _AS_IT_IS or (kind is int and -_SAFE < value < _SAFE):
        return value
    raise _OtherWay


def _object(value: dict[Any, Any]) -> dict[str, Any]:
    """Nearly all of evidence is rows of numbers, so what is in most of them is done here: a call for each takes as long
    again as all else. The names are looked at together."""
    try:
        if not "".join(value).isascii():
            # The standard sorts by UTF-16, Python by characters: they differ beyond ASCII.
            raise _OtherWay
    except TypeError:
        raise _OtherWay from None
    found = value.copy()
    for name, one in value.items():
        kind = type(one)
        if kind is float:
            if not one.is_integer():
                size = abs(one)
                if not (_SMALL <= size < _SAFE or size < _TINY):
                    raise _OtherWay
            elif -_SAFE < one < _SAFE:
                found[name] = int(one)
            else:
                raise _OtherWay
        elif kind not in _AS_IT_IS:
            found[name] = _plain(one)
    return found


def _number(value: float) -> float:
    if value.is_integer():
        if -_SAFE < value < _SAFE:
            return int(value)
    elif _SMALL <= abs(value) < _SAFE or abs(value) < _TINY:
        return value
    raise _OtherWay
