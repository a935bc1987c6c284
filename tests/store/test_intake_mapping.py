"""Mapping files are refused with the place, the field, what was found and what is allowed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from store.intake import FactKind, MappingRefused, load_mapping, parse_mapping
from store.intake.mapping import Known

EXAMPLES = Path(__file__).parents[2] / "examples" / "mappings"
GOOD = """\
kind: leads
source_system: crm
fields:
  source_id: Id
  partner_id: {template: "p-{Partner}"}
  assigned_at: Assigned
known: {after: assigned_at, lag: 1d}
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(MappingRefused) as refused:
        parse_mapping(text, "m.yaml")
    return refused.value.problems


def with_field(line: str) -> str:
    return GOOD.replace("  assigned_at: Assigned\n", f"  assigned_at: Assigned\n  {line}\n")


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_is_a_valid_mapping(path: Path) -> None:
    assert load_mapping(path).kind in FactKind


def test_a_mapping_reads_as_written() -> None:
    mapping = parse_mapping(GOOD)
    assert mapping.kind is FactKind.LEADS
    assert mapping.fields["source_id"].column == "Id"
    assert mapping.fields["partner_id"].columns == ("Partner",)
    assert mapping.known == Known(after="assigned_at", lag=timedelta(days=1))


def test_scalars_stay_text_so_that_norway_is_not_false() -> None:
    mapping = parse_mapping(with_field("class: {column: Country, values: {NO: north, 007: bond, on: x}}"))
    assert mapping.fields["class"].values == {"NO": "north", "007": "bond", "on": "x"}


def test_a_duplicate_key_is_refused_with_both_lines() -> None:
    found = problems(GOOD + "source_system: erp\n")
    assert found == ("m.yaml:8:1: the key 'source_system' appears twice; it was first given on line 2",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "m.yaml:1:1: the file is empty"),
        ("kind: [", "m.yaml:1:8: not valid YAML"),
        ("a: &x 1\nb: *x\n", "m.yaml:2:4: aliases are not supported"),
        (GOOD.replace("leads", "leeds"), "m.yaml:1:1: kind: Input should be 'calendars', 'holidays'"),
        (GOOD + "fileds: {}\n", "m.yaml:8:1: fileds: not a field of a mapping"),
        (GOOD.replace("source_system: crm\n", ""), "m.yaml:1:1: the mapping: source_system is missing"),
        (GOOD.replace("  partner_id: {template", "  partner: {template"), "m.yaml:5:3: fields.partner: leads has no"),
        (GOOD.replace("  assigned_at: Assigned\n", ""), "m.yaml:3:1: fields: leads cannot do without assigned_at"),
        (with_field("class: {}"), "m.yaml:7:3: fields.class: give exactly one of column, constant, template, lookup"),
        (with_field("class: {column: A, constant: b}"), "found column and constant"),
        (with_field("class: {column: A, vales: {}}"), "m.yaml:7:22: fields.class.vales: not a field of a mapping"),
        (with_field("class: {column: A, otherwise: b}"), "there are no values here"),
        (with_field("class: {column: A, format: '%Y'}"), "format is for dates and moments"),
        (with_field("class: {template: 'x'}"), "template 'x' names no column; use constant"),
        (with_field("class: {template: '{A'}"), "template '{A'"),
        (with_field("class: {template: '{A!r}'}"), "write column names in braces, nothing else"),
        (with_field("excluded_reason: {constant: spam}"), "found 'spam'; allowed: recalled, duplicate, junk"),
        (with_field("excluded_reason: {column: A, values: {1: spam}}"), "found 'spam'; allowed: recalled"),
        (with_field("contact_due_at: {constant: tomorrow}"), "found 'tomorrow'; allowed: a moment such as"),
        (GOOD.replace("1d", "1 day"), "m.yaml:7:29: known.lag: '1 day' is not a duration"),
        (GOOD.replace("after: assigned_at", "after: closed_at"), "m.yaml:7:9: known.after: found 'closed_at'; allowed"),
        (GOOD.replace("after: assigned_at", "after: source_id"), "allowed: a mapped date or moment (assigned_at)"),
        (GOOD.replace("{after: assigned_at, lag: 1d}", "never"), "m.yaml:7:1: known"),
        (GOOD.replace("after: assigned_at", "at: 2025-01-01T00:00:00"), "timezone"),
        (GOOD + "time_zone: Mars/Olympus\n", "'Mars/Olympus' is not a time zone"),
        (GOOD + "where:\n  - {column: A, in: [a], equals: b}\n", "m.yaml:9:5: where.0: give exactly one of"),
        (GOOD + "csv: {decimal: ';'}\n", "m.yaml:8:7: csv.decimal: Input should be '.' or ','"),
        (GOOD + "source: [a]\n" + "where: 3\n", "m.yaml:9:1: where"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    found = problems(text)
    assert any(problem in one for one in found), found
    assert all(one.startswith("m.yaml:") for one in found)


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems(GOOD.replace("source_id: Id", "source: Id").replace("partner_id", "partner"))
    assert [one.split(": ")[1] for one in found] == ["fields.source", "fields.partner", "fields"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingRefused, match=r"nowhere.yaml: cannot be read"):
        load_mapping(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"about: \xe9\n")
    with pytest.raises(MappingRefused, match=r"latin.yaml: cannot be read"):
        load_mapping(tmp_path / "latin.yaml")
