"""The reject file: bad rows as they were, with line, column and reason, to be corrected and imported again.

The added columns stand first and are ignored by a mapping, so that a corrected reject file can be imported with the
same mapping as the file it came from.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from store.intake.errors import IntakeError
from store.intake.source import CsvSource

if TYPE_CHECKING:
    from store.intake.mapping import CsvFormat
    from store.intake.staging import Rejection, Staging

ADDED: Final = ("reject_line", "reject_column", "reject_reason")


def place_for(file: Path, named: Path | None) -> Path:
    """Where the bad rows of a file go: `sales.csv.gz` and `sales.csv` have theirs in `sales.rejects.csv`, beside them.

    Raises:
        IntakeError: the place named is the file itself.
    """
    name = file.name.removesuffix(".gz").removesuffix(".csv")
    place = named or file.parent / f"{name}.rejects.csv"
    if file.exists() and place.exists() and place.samefile(file):
        raise IntakeError(f"{file}: bad rows would be written over it; name another place for them")
    return place


class _Writer:
    """Goes through the imported file once more, alongside the rejected lines, which come in the same order."""

    def __init__(self, source: CsvSource, out: Any, form: CsvFormat) -> None:
        self._rows = source.rows()
        self._csv = csv.writer(out, delimiter=form.delimiter)
        # A reject file that is imported again has the added columns already.
        self._added = len(ADDED) if source.header[: len(ADDED)] == ADDED else 0
        self._csv.writerow([*ADDED, *source.header[self._added :]])

    def write(self, bad: Rejection) -> None:
        cells = next((row.cells for row in self._rows if row.line >= bad.line), [])
        self._csv.writerow([bad.line, bad.column, bad.reason, *cells[self._added :]])


async def write_rejects(staging: Staging, file: Path, form: CsvFormat, target: Path) -> None:
    """Write every rejected row to `target`, which appears whole or not at all."""
    with replacing(target, form.encoding) as out, CsvSource(file, form) as source:
        writer = _Writer(source, out, form)
        async for bad in staging.all_rejected():
            writer.write(bad)


@contextmanager
def replacing(target: Path, encoding: str) -> Iterator[TextIO]:
    """A file to write that takes `target`'s place at the end, unless writing fails: then nothing is left of it.

    It has the encoding of the file that was imported, so that the same mapping reads it again.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise IntakeError(f"there are bad rows, but {target} cannot be written ({why}); name another place") from error
    partial = Path(name)
    try:
        with open(descriptor, "w", encoding=encoding, errors="backslashreplace", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        partial.chmod(0o644)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
