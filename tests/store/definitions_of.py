"""A sentence of the field, and what holds it: tests by file and function; one without a folder lies in tests/store."""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    """A rule in a few words, the tests that hold it, or why none does."""

    says: str
    held_by: tuple[str, ...] = ()
    left_out: str = ""


def held(says: str, *tests: str) -> Sentence:
    return Sentence(says, tests)


def named(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in names)
