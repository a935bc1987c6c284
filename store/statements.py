"""Finds the SQL statements that stand in files of their own."""

from __future__ import annotations

from pathlib import Path

_SQL = Path(__file__).parent / "sql"


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`, for example `rollouts/enrol`.

    Raises:
        FileNotFoundError: there is no such file in this installation.
    """
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
