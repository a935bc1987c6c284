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


class _OtherWay(Exception):
    """Something that Python's encoder may write in another way."""


def canonical(value: Any) -> bytes:
    """What `rfc8785.dumps` gives, and raises what it raises."""
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (_OtherWay, UnicodeEncodeError):
        return rfc8785.dumps(value)


def _plain(value: Any) -> Any:
    """The value with whole numbers as integers; only what both ways write alike."""
    kind = type(value)
    if kind is float:
        if value.is_integer():
            if -_SAFE < value < _SAFE:
                return int(value)
        elif _SMALL <= abs(value) < _SAFE:
            return value
        raise _OtherWay
    if kind is str or kind is bool or value is None:
        return value
    if kind is int and -_SAFE < value < _SAFE:
        return value
    if kind is dict:
        # The standard sorts by UTF-16, Python by characters: they differ beyond ASCII.
        if all(type(name) is str and name.isascii() for name in value):
            return {name: _plain(one) for name, one in value.items()}
        raise _OtherWay
    if kind is list or kind is tuple:
        return [_plain(one) for one in value]
    raise _OtherWay
