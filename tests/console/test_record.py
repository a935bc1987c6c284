"""The decision record of a small rollout, whose log the workflow's own functions wrote, in both languages.

`python -m tests.console.test_record` writes the expected files anew.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.pages.words import LANGUAGES
from learning.record import DecisionRecord, GateEnd, decision_record
from models.command import PauseVerdict
from models.learning import Readings
from record.document import Block, Document, Figure, Heading, Items, Para, Table, html, markdown
from record.writing import files
from tests.learning.stories import PLAN, READINGS, SLA, paused_and_finished, stopped_in_pilot
from tests.workflows.simulator import Simulator

EXPECTED = Path(__file__).parent / "records"


@cache
def a_record() -> DecisionRecord:
    """A rollout that paused twice; an owner judged one of the pauses a false alarm."""
    rollout = paused_and_finished(judged=PauseVerdict.FALSE_ALARM)
    return decision_record(PLAN, rollout.recorded, READINGS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_record_is_the_same_text(language: str) -> None:
    folder = EXPECTED / language
    expected = {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in _files(folder)}
    assert files(a_record(), language) == expected


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file())


def test_it_has_the_framework_s_chapters_in_their_order() -> None:
    found = re.findall(r"^## (.+)$", files(a_record(), "en")["record.md"], re.MULTILINE)
    shape = [
        "Sources and citations",
        "Context",
        "Options",
        "Decision",
        "Rationale",
        "Risks and what became of them",
        "Next",
    ]
    assert [one for one in found if one in shape] == shape


def test_what_people_approved_stands_there_with_its_evidence_and_signature() -> None:
    record = a_record()
    assert [one.key for one in record.gates] == ["prepare_to_pilot", "validate_to_scale", "wave_2"]
    [gate] = record.gates[1].rounds
    assert (gate.end, [one.by for one in gate.decisions]) == (
        GateEnd.PASSED,
        ["sam.sponsor@example.com", "fin.finance@example.com"],
    )
    assert all(one.evidence == gate.evidence for one in gate.decisions)
    assert f"pilot/{SLA.value}" in gate.verdicts


def test_a_gate_that_a_pause_overtook_is_told_with_both_of_its_rounds() -> None:
    rollout = Simulator(PLAN)
    rollout.to_validate()
    rollout.wait(PLAN.phases.validate_for * 2)
    rollout.decide("sponsor", "reject", reason="the price list is wrong")
    [_, gate] = decision_record(PLAN, rollout.recorded, READINGS).gates
    assert [one.end for one in gate.rounds] == [GateEnd.PAUSED]
    assert [one.approved for one in gate.rounds[0].decisions] == [False]
    entry = files(decision_record(PLAN, rollout.recorded, READINGS), "en")["gates/02-validate-to-scale.md"]
    assert "the price list is wrong" in entry


def test_the_record_of_a_stopped_rollout_says_what_was_stopped_and_withdrawn() -> None:
    text = files(decision_record(PLAN, stopped_in_pilot().recorded, Readings()), "en")["record.md"]
    assert "Stopped before the end of the plan." in text
    assert "the breach stays" in text
    assert "| pilot | 12 |" in text
    assert "Nothing was judged: there is no number to tell of." in text
    assert "not judged by anybody" in text


def test_html_needs_nothing_else_and_runs_nothing() -> None:
    for language in LANGUAGES:
        text = files(a_record(), language)["record.html"]
        assert "<script" not in text
        assert not re.search(r"(?:src|href)\s*=", text)
        assert "url(" not in text
        assert "@page { size: A4" in text
        assert f'<html lang="{language}">' in text
        assert text.count("<svg ") == 2


NASTY = st.text() | st.sampled_from(
    [
        *("<script>alert(1)</script>", "a | b", "# not a heading", "- no item", "1. none"),
        *("![x](http://e)", "[x](javascript:1)", "\\| <b>", "---"),
    ]
)


@given(text=NASTY)
def test_what_people_wrote_is_never_markup(text: str) -> None:
    blocks: list[Block] = [
        Heading(2, text),
        Para(f"a {text}"),
        Items([text]),
        Table(text, (text, "b"), [(text, text)]),
        Figure("<svg></svg>", text, "charts/a.svg"),
    ]
    document = Document("en", text, blocks)
    written = html(document)
    assert {one.split()[0] for one in re.findall(r"<([a-z!][^>]*)>", written)} <= {
        *("!doctype", "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li"),
        *("table", "caption", "thead", "tr", "th", "tbody", "td", "figure", "svg", "figcaption"),
    }
    # What stands behind a backslash is shown as it is.
    bare = re.sub(r"\\.", "", markdown(document))
    assert "<" not in bare
    assert bare.count("](") == 1
    assert bare.count("\n## ") == 1
    [_, _, row] = [line for line in bare.split("\n") if line.startswith("|")]
    assert row.count("|") == 3


def write() -> None:
    """Write the expected files anew."""
    for language in LANGUAGES:
        for path, text in files(a_record(), language).items():
            file = EXPECTED / language / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
