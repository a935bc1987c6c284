"""How far long work has come: a bar in a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.output import clean, err, say

Advance: TypeAlias = Callable[[int, int], None]
"""Called with how much is done, and how much there is."""


@contextmanager
def bar(what: str, *, of_bytes: bool = False) -> Iterator[Advance]:
    """Progress of something whose size is known; outside a terminal a line for every tenth of it."""
    if not err.is_terminal:
        yield _tenths(what)
        return
    counted = DownloadColumn() if of_bytes else MofNCompleteColumn()
    # Without markup: a file's name may hold brackets.
    label = TextColumn("{task.description}", markup=False)
    with Progress(label, BarColumn(), counted, TimeElapsedColumn(), console=err, transient=True) as shown:
        task = shown.add_task(clean(what), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _tenths(what: str) -> Advance:
    told = 0

    def advance(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 if total <= 0 else min(10, done * 10 // total)
        if tenth > told:
            told = tenth
            say(f"{what}: {tenth * 10} %")

    return advance


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Something whose length nobody knows: it moves in a terminal, and is one line elsewhere."""
    if not err.is_terminal:
        say(f"{what} ...")
        yield
        return
    with err.status(Text(clean(what))):
        yield
