"""Finds the SQL statements that stand in files of their own."""

from __future__ import annotations

from pathlib import Path

from models.metric import CATALOGUE, MetricName

_SQL = Path(__file__).parent / "sql"


def shared_statement(folder: str, metric: MetricName) -> str | None:
    """A metric's own file in a folder, or that of the metric whose facts it reads; None where there is neither."""
    names = (metric, CATALOGUE[metric].facts_of)
    own = next((name for name in names if name and (_SQL / folder / f"{name}.sql").is_file()), None)
    return statement(f"{folder}/{own}") if own else None


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`, for example `rollouts/enrol`.

    Raises:
        FileNotFoundError: there is no such file in this installation.
    """
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
