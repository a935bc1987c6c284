"""What the tests of attacks on bundles share: the bundle under attack, and how what is found is looked at."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from audit.bundle import LOG, PLAN
from audit.findings import Finding, Report
from audit.verify import verify
from tests.audit.exhibits import Sample, sealed, whole

WHOLE = whole()
FILES = WHOLE.files()
BUNDLE = WHOLE.bundle()

LEAN = replace(WHOLE, histories=[], evidence={})
"""Without what takes time to look at: that it is not there is told, and nothing else is wrong."""
LEAN_FILES, LEAN_BUNDLE = LEAN.files(), LEAN.bundle()


def report_of(bundle: dict[str, bytes], sample: Sample = WHOLE) -> Report:
    report = verify(bundle, sample.trusted, sample.version)
    unforeseen = [one for one in report.findings if "it cannot be examined" in one.what]
    assert not unforeseen, unforeseen
    return report


def beside_evidence(report: Report) -> list[Finding]:
    """What is wrong in a lean bundle, but for the evidence that it does not have."""
    return [one for one in report.wrong if "is not in the bundle" not in one.what]


def first(report: Report) -> Finding:
    assert report.wrong, "nothing was found"
    return report.wrong[0]


def forged(files: dict[str, bytes], sample: Sample = WHOLE) -> Report:
    """What is found where the manifest was written anew to fit."""
    return report_of(sealed(sample, files), sample)


def told(report: Report) -> str:
    return " | ".join(one.sentence for one in report.wrong)


def flips(content: bytes, count: int, seed: str) -> Iterator[bytes]:
    """The content with one bit changed, at so many places."""
    draw = random.Random(seed)
    for at in sorted(draw.sample(range(len(content)), min(count, len(content)))):
        changed = bytearray(content)
        changed[at] ^= 1 << draw.randrange(8)
        yield bytes(changed)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON, that of the whole first."""
    yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from places(one, (*path, name))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from places(one, (*path, at))


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The same JSON with something else in one place."""
    if not path:
        return other
    found = copy.copy(value)
    found[path[0]] = put(found[path[0]], path[1:], other)
    return found


EVIDENCE = sorted(path for path in FILES if path.startswith("evidence/"))
SIGNED_FILES = [PLAN, LOG, "decisions.md", "keys/log.txt", "keys/decisions.json"]
SIGNED_FILES += [*sorted(path for path in FILES if path.startswith("checkpoints/")), EVIDENCE[0], EVIDENCE[1]]
HISTORY = next(path for path in FILES if path.startswith("history/"))
