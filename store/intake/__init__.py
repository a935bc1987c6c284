"""Intake: partner facts from CSV files into PostgreSQL, by a mapping, idempotent, with a reject file for bad rows."""

from store.intake.errors import IntakeBusy, IntakeError, IntakeLost, IntakeRefused
from store.intake.kinds import KINDS, FactKind
from store.intake.load import ImportReport, import_file
from store.intake.mapping import Mapping, MappingRefused, load_mapping, parse_mapping

__all__ = [
    "KINDS",
    "FactKind",
    "ImportReport",
    "IntakeBusy",
    "IntakeError",
    "IntakeLost",
    "IntakeRefused",
    "Mapping",
    "MappingRefused",
    "import_file",
    "load_mapping",
    "parse_mapping",
]
