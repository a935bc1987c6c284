"""Reading a CSV file, also gzip, as a stream: rows with their line numbers, the bytes read, and the file's digest."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from store.intake.errors import IntakeError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from store.intake.mapping import CsvFormat

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the file's size, both of the file as it lies on disk."""


class Row(NamedTuple):
    """One record. `line` is the file's line it begins on; the header is on line 1."""

    line: int
    cells: list[str]


class _Hashing(io.RawIOBase):
    """Passes bytes on and keeps count and digest of them."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.count = 0
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self._raw.read(len(view))
        view[: len(data)] = data
        self.count += len(data)
        self.digest.update(data)
        return len(data)


class CsvSource:
    """An open CSV file; a context manager. `header` is at hand at once, rows by `rows()`."""

    def __init__(self, path: Path, form: CsvFormat) -> None:
        """Open the file and read its header.

        Raises:
            IntakeError: not a readable file, not the stated encoding, no header, or a column named twice.
        """
        self.path = path
        self._form = form
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise IntakeError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            self._raw = _Hashing(self._file)
            self._reader = csv.reader(self._text(), delimiter=form.delimiter, strict=True)
            self.header = self._checked_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def bytes_read(self) -> int:
        """Bytes of the file on disk consumed so far; the reader is a little ahead of the rows."""
        return self._raw.count

    def sha256(self) -> str:
        """Hex digest of the whole file as it lies on disk. Call it after the last row."""
        while self._raw.read(1 << 16):
            pass
        return self._raw.digest.hexdigest()

    def rows(self) -> Iterator[Row]:
        """Every record after the header; blank lines are left out.

        Raises:
            IntakeError: the text cannot be read on: broken quoting, encoding or compression.
        """
        while True:
            line = self._reader.line_num + 1
            cells = self._next_cells()
            if cells is None:
                return
            if cells:
                yield Row(line, cells)

    def batch(self, rows: int) -> tuple[list[int], list[list[str]]]:
        """The next records, at most so many, and the lines they begin on; nothing at the end. Faster than `rows()`.

        Raises:
            IntakeError: as `rows()` does.
        """
        while True:
            found: list[list[str]] = []
            ends = [self._reader.line_num]
            with self._explained():
                for cells in islice(self._reader, rows):
                    found.append(cells)
                    ends.append(self._reader.line_num)
            lines = [end + 1 for end in ends[: len(found)]]
            if not found or [] not in found:
                return lines, found
            kept = [(line, cells) for line, cells in zip(lines, found, strict=True) if cells]
            if kept:
                return [line for line, _ in kept], [cells for _, cells in kept]

    def _text(self) -> io.TextIOWrapper:
        buffered: io.BufferedReader | gzip.GzipFile = io.BufferedReader(self._raw, 1 << 16)
        if self.path.suffix == ".gz":
            buffered = gzip.GzipFile(fileobj=buffered, mode="rb")
        try:
            encoding = "utf-8-sig" if self._is_utf8 else self._form.encoding
            return io.TextIOWrapper(buffered, encoding=encoding, newline="")
        except LookupError as error:
            raise IntakeError(f"{self._form.encoding!r} is not a known encoding") from error

    def _next_cells(self) -> list[str] | None:
        with self._explained():
            return next(self._reader, None)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What breaks while the text is read, as what is wrong with the file."""
        try:
            yield
        except csv.Error as error:
            # What a quote that nobody closes does in a large file.
            more = "; is a quote left open?" if "field limit" in str(error) else ""
            raise IntakeError(f"{self.path}:{self._reader.line_num}: broken CSV: {error}{more}") from error
        except UnicodeError as error:
            told = f"is not {self._form.encoding}; set csv.encoding in the mapping"
            raise IntakeError(f"{self._undecodable()} {told}") from error
        except (OSError, EOFError, zlib.error) as error:
            raise IntakeError(f"{self.path}: cannot be read to its end: {error}") from error

    def _undecodable(self) -> str:
        """The first byte that is not UTF-8, as `FILE:LINE: byte 0xe9`; of other encodings only the file. The reader is
        up to a whole buffer ahead of the line it is at, so the file is read once more."""
        if not self._is_utf8:
            return f"{self.path}: the text"
        with suppress(OSError, EOFError, zlib.error), self.path.open("rb") as raw:
            lines = gzip.GzipFile(fileobj=raw, mode="rb") if self.path.suffix == ".gz" else raw
            for number, line in enumerate(lines, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return f"{self.path}:{number}: byte 0x{line[error.start]:02x}"
        return f"{self.path}: the text"

    @property
    def _is_utf8(self) -> bool:
        return self._form.encoding.lower().replace("_", "-") in ("utf-8", "utf8")

    def _checked_header(self) -> tuple[str, ...]:
        cells = self._next_cells()
        while cells == []:
            cells = self._next_cells()
        header = tuple(name.strip() for name in cells or ())
        if not any(header):
            raise IntakeError(f"{self.path}: has no header line")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise IntakeError(f"{self.path}:1: column named twice: {', '.join(twice)}")
        return header
