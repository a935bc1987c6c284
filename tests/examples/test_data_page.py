"""The page for whoever brings their own facts is complete, current, and its example does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from store.intake import import_file, load_mapping
from store.intake.kinds import KINDS, FactKind
from store.intake.mapping import Mapping, parse_mapping
from store.intake.meanings import ABOUT, FIELDS, SHARED
from store.intake.reference import meaning
from tests.real_data import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("kind", FactKind)
def test_every_field_has_a_meaning_and_every_meaning_a_field(kind: FactKind) -> None:
    fields = KINDS[kind].by_name
    assert all(meaning(kind, name) for name in fields)
    assert set(FIELDS[kind]) <= set(fields)
    assert ABOUT[kind]


def test_every_shared_meaning_is_somebodys() -> None:
    used = {name for kind, spec in KINDS.items() for name in spec.by_name if name not in FIELDS[kind]}
    assert set(SHARED) <= used


@pytest.mark.parametrize("name", FactKind)
def test_the_page_names_every_kind(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_names_every_part_of_a_mapping() -> None:
    (table,) = re.findall(r"^\| part \| says \|\n.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert {name for name in Mapping.model_fields if f"`{name}`" not in table} == set()


def test_the_mapping_shown_is_the_one_in_the_examples() -> None:
    (shown,) = blocks("yaml")
    about = {"about": ""}
    file = load_mapping(EXAMPLES / "mappings" / "crm" / "leads.yaml")
    assert parse_mapping(shown) == file.model_copy(update=about)


def test_the_rows_shown_are_those_of_the_file() -> None:
    rows = (EXAMPLES / "facts" / "leads.csv").read_text(encoding="utf-8")
    assert any(rows.startswith(block) for block in blocks("text"))


async def test_the_import_says_what_the_page_says(database: str, tmp_path: Path) -> None:
    partners = load_mapping(EXAMPLES / "mappings" / "crm" / "partners.yaml")
    leads = load_mapping(EXAMPLES / "mappings" / "crm" / "leads.yaml")
    await import_file(database, partners.kind, EXAMPLES / "facts" / "partners.csv", partners, strict=True)
    rejects = tmp_path / "leads.rejects.csv"
    report = await import_file(database, leads.kind, EXAMPLES / "facts" / "leads.csv", leads, reject_path=rejects)
    told = [f"  {reason}" for reason in report.first_reasons]
    told.append(
        f"{report.rows_read} rows read: {report.inserted} new, {report.updated} changed, {report.unchanged} unchanged, "
        f"{report.skipped} skipped, {report.rejected} rejected."
    )
    head = f"{report.rejected} bad rows are in {rejects.name}; the first of them:"
    assert "\n".join([head, *told, ""]) in blocks("text")
