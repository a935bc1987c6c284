"""What can go wrong with an import as a whole.

    IntakeError          the file cannot be imported: unreadable, broken, or not what the mapping expects
    ├── IntakeRefused    strict import of a file with bad rows: nothing was written
    ├── IntakeBusy       somebody else kept changing the same facts: nothing was written
    └── IntakeLost       the connection to the database was lost on the way

A single bad row is not an error: it goes to the reject file. A bad mapping raises `MappingRefused`.
"""

from __future__ import annotations

from pathlib import Path


class IntakeError(Exception):
    """The import as a whole failed; the database is as it was."""


class IntakeRefused(IntakeError):
    """A strict import found bad rows. `reasons` are the first few, with their line; all are in the reject file."""

    def __init__(self, file: Path, rejected: int, reasons: tuple[str, ...], reject_file: Path) -> None:
        rows = "row" if rejected == 1 else "rows"
        listed = "\n  ".join(reasons)
        super().__init__(f"{file}: {rejected} bad {rows}, nothing was written; see {reject_file}\n  {listed}")
        self.rejected = rejected
        self.reasons = reasons
        self.reject_file = reject_file


class IntakeBusy(IntakeError):
    """Whatever was tried, somebody else had just changed the same facts."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file}: nothing was written, because others keep changing the same facts "
            f"({why.partition(chr(10))[0]}); try again"
        )


class IntakeLost(IntakeError):
    """The connection ended. Nothing was written, unless that was the moment in which everything was."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file}: the connection to PostgreSQL was lost ({why}); import the file again: "
            "what is there already stays as it is"
        )
