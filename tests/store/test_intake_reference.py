"""The page of facts' fields is the kinds' own."""

from __future__ import annotations

from store.intake.kinds import KINDS
from store.intake.reference import FIELDS_FILE, fields_text


def test_the_page_of_fields_is_the_kinds_own() -> None:
    stale = "it is stale; run: .venv/bin/python -m store.intake.reference"
    assert FIELDS_FILE.read_text(encoding="utf-8") == fields_text(), stale


def test_the_page_has_every_kind_with_what_its_fields_take() -> None:
    page = FIELDS_FILE.read_text(encoding="utf-8")
    assert all(f"\n## `{kind}`\n" in page for kind in KINDS)
    for row in (
        "| `net_amount` | an amount with at most 14 digits before the decimal point | **required** |",
        "| `kind` | `sale`, `return`, `credit` | **required** |",
        "| `transaction_id` | text | `source_id` |",
        "| `contact_due_at` | a moment such as 2025-12-31T17:00:00+01:00; not before `assigned_at` | nothing |",
        "| `settles_request` | true, false, yes, no, 1 or 0 | `true` |",
    ):
        assert row in page, row
