"""The leaf of an entry: its canonical JSON, the same bytes whoever writes it down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rfc8785 import CanonicalizationError

from audit.errors import NotSound
from models.base import Frozen
from models.canonical import canonical

_SAFE = 2**53
_LARGEST = 2**63


class Leaf(Frozen):
    """An entry of the decision log as the tree has it. `entry` is the JSON that stands in the log; leaf i of a chain,
    counted from 0, is the entry of sequence i + 1."""

    rollout: str
    chain: str
    run: str
    sequence: int
    entry: dict[str, Any]


def leaf_bytes(rollout: str, chain: str, run: str, sequence: int, entry: Mapping[str, Any]) -> bytes:
    """The canonical JSON (RFC 8785) that is hashed; one line, without a newline at its end.

    Raises:
        NotSound: the entry holds what JSON cannot say, or not exactly.
    """
    said = {"rollout": rollout, "chain": chain, "run": run, "sequence": sequence, "entry": _exact(dict(entry))}
    try:
        return canonical(said)
    except (CanonicalizationError, ValueError, TypeError, RecursionError) as problem:
        raise NotSound(f"entry {sequence} of {rollout} has no canonical form: {problem}") from None


def read_leaf(line: bytes) -> Leaf:
    """A leaf from its bytes, which must be the only ones that say what it says.

    Raises:
        NotSound: they are no such leaf.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise NotSound(f"the leaf is no JSON: {problem}") from None
    names = list(Leaf.model_fields)
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        raise NotSound(f"a leaf says {', '.join(names)}, and nothing else")
    for name in ("rollout", "chain", "run"):
        if not isinstance(found[name], str):
            raise NotSound(f"{name} of the leaf is no text")
    sequence, entry = found["sequence"], found["entry"]
    if type(sequence) is not int or not 0 < sequence < _LARGEST:
        raise NotSound("sequence of the leaf is no number from 1 on")
    if not isinstance(entry, dict) or entry.get("sequence") != sequence or type(entry["sequence"]) is not int:
        raise NotSound(f"the entry of leaf {sequence} is not that of its sequence")
    leaf = Leaf(rollout=found["rollout"], chain=found["chain"], run=found["run"], sequence=sequence, entry=entry)
    if leaf_bytes(leaf.rollout, leaf.chain, leaf.run, sequence, entry) != line:
        raise NotSound(f"leaf {sequence} is not written canonically")
    return leaf


def _exact(value: Any) -> Any:
    """The value with large whole numbers as the fractions they are: a database gives back 1e22 as a whole number.

    Raises:
        NotSound: one that no fraction is equal to.
    """
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(one) for one in value]
    if type(value) is int and not -_SAFE < value < _SAFE:
        try:
            fraction = float(value)
        except OverflowError:
            fraction = 0.0
        # Not the fraction's own value: the digits it is written with, which is what the database has read.
        if Decimal(repr(fraction)) != value:
            raise NotSound(f"the number {str(value)[:40]} cannot be written exactly")
        return fraction
    return value
