"""Every sentence that says what a fact or a metric is has a test that holds it, or says why none does."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from models.metric import CATALOGUE
from tests.store.definitions import DEFINITIONS
from tests.store.definitions_of import Sentence

TESTS = Path(__file__).parents[1]
SENTENCES = [(about, one) for about, sentences in DEFINITIONS.items() for one in sentences]


@cache
def functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def missing(sentence: Sentence) -> list[str]:
    """The tests it names that are not there."""
    found = []
    for test in sentence.held_by:
        name, function = test.split("::")
        file = TESTS / name if "/" in name else TESTS / "store" / name
        if not file.is_file() or function not in functions(file):
            found.append(test)
    return found


@pytest.mark.parametrize(("about", "sentence"), SENTENCES, ids=[f"{about}: {one.says}" for about, one in SENTENCES])
def test_a_sentence_is_held_by_tests_that_are_there_or_says_why_not(about: str, sentence: Sentence) -> None:
    assert missing(sentence) == []
    assert bool(sentence.held_by) != bool(sentence.left_out)


def test_a_test_that_is_not_there_is_missed() -> None:
    assert missing(Sentence("", ("test_metric_sla.py::test_nothing", "nowhere.py::test_nothing"))) != []


def test_every_metric_of_the_framework_has_its_sentences() -> None:
    assert {name.value for name, spec in CATALOGUE.items() if spec.framework} <= set(DEFINITIONS)


def test_only_these_are_left_out() -> None:
    """Sentences that no number of a rollout depends on; one more needs a reason as good."""
    assert [one.says for _, one in SENTENCES if one.left_out] == [
        "events for what is agreed and seldom changes: partners, calendars, funds, courses, checks, rates",
    ]
