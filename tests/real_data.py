"""The two real data sets: where they are, and their files through the example mappings, imported once for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from store.intake import ImportReport, import_file, load_mapping

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("ROLLOUTS_DATA", ROOT.parent / "shared" / "data"))
RESELLERS, CASES = DATA / "adventureworks_reseller", DATA / "boston311_sla"
SALES_FILE, CASES_FILE = RESELLERS / "fact_reseller_sales.csv.gz", CASES / "cases.csv.gz"

needs_real_data = pytest.mark.skipif(
    not RESELLERS.is_dir() or not CASES.is_dir(),
    reason=f"the real data sets are not in {DATA}; set ROLLOUTS_DATA to where they are",
)

OF_RESELLERS = (
    ("adventureworks/partners", RESELLERS / "dim_reseller.csv"),
    ("adventureworks/transactions", SALES_FILE),
    ("adventureworks/product-costs", SALES_FILE),
    ("adventureworks/freight-costs", SALES_FILE),
)
OF_CASES = (("boston311/partners", CASES_FILE), ("boston311/leads", CASES_FILE))
"""Mapping and file, partners first."""


async def load(dsn: str, name: str, file: Path) -> ImportReport:
    """Import a file with one of the example mappings."""
    mapping = load_mapping(ROOT / "examples" / "mappings" / f"{name}.yaml")
    return await import_file(dsn, mapping.kind, file, mapping, strict=True)
