"""Libraries in an environment of their own as ways to judge: what they are handed, and what they decided."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from bench.judges import RISK, Bools, Days, arms, form_of
from bench.panel import DAYS, MARGIN, Kind, Panel, World
from judgement.estimate import Floats, Form
from judgement.gates import LEAST_DAYS

HERE = Path(__file__).parent
PYTHON = HERE.parent / ".venv-judges" / "bin" / "python"

ROLLOUTS = 200
LOOKS = (LEAST_DAYS, *range(9, DAYS + 1, 3))
"""Days on which they look: a library takes milliseconds for what numpy does in one go."""

ROWS = {
    "gbstats": {
        "default": "gbstats, default tuning *",
        "tuned": "gbstats, tuned to partners *",
        "changes": "gbstats, on differences *",
    },
    "spotify-confidence": {"sequential": "Spotify sequential, on differences *"},
}
"""What each library decides, by the name under which it hands it back."""

NAMES = tuple(name for rows in ROWS.values() for name in rows.values())


CellOf: TypeAlias = tuple[Kind, World, int]


class LeftOut(NamedTuple):
    """A library that judged nothing."""

    library: str
    reason: str


class _Unusable(Exception):
    """The environment or what came back of it; says why."""


class Others:
    """Panels on their way to the libraries, as files in a directory, and their decisions on the way back."""

    def __init__(self, directory: Path, *, python: Path | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._python = directory, python or PYTHON
        self._of: list[CellOf] = []

    def hand(self, of: CellOf, panel: Panel) -> None:
        """Write a panel's sums; several may belong to one cell."""
        keep(self._directory / f"{len(self._of):05}.handed.npz", handed(panel))
        self._of.append(of)

    async def decide(self, tell: Callable[[str], None]) -> tuple[dict[tuple[CellOf, str], list[Days]], list[LeftOut]]:
        """What they decided, by cell and row, in the order in which panels were handed; and who decided nothing."""
        found: dict[tuple[CellOf, str], list[Days]] = {}
        left_out: list[LeftOut] = []
        for one in await asyncio.gather(*(self._judge(library, tell) for library in ROWS)):
            if isinstance(one, LeftOut):
                left_out.append(one)
                continue
            for of, decisions in zip(self._of, one, strict=True):
                for row, days in decisions.items():
                    found.setdefault((of, row), []).append(days)
        return found, left_out

    async def _judge(self, library: str, tell: Callable[[str], None]) -> list[dict[str, Days]] | LeftOut:
        try:
            await self._run(library, tell)
            return [self._read(library, number) for number in range(len(self._of))]
        except _Unusable as error:
            left_out = LeftOut(library, str(error))
            tell(f"LEFT OUT: {library}: {left_out.reason}")
            return left_out

    async def _run(self, library: str, tell: Callable[[str], None]) -> None:
        """Let it judge every file, with a line now and then."""
        if not self._python.exists():
            raise _Unusable(f"no environment at {self._python.parents[1]}; `make judges` makes it")
        command = (self._python, "-I", HERE / "apart.py", _pin(library), self._directory)
        log = self._directory / f"{library}.log"
        with log.open("wb") as errors:
            try:
                child = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors
                )
            except OSError as error:
                raise _Unusable(f"{self._python} does not start ({error}); `make judges` makes it anew") from error
            try:
                assert child.stdout is not None  # noqa: S101 - a pipe was asked for
                async for line in child.stdout:
                    tell(line.decode().rstrip())
                await child.wait()
            finally:
                if child.returncode is None:
                    child.kill()
        if child.returncode:
            last = (log.read_text(errors="replace").strip().splitlines() or ["no word why"])[-1]
            raise _Unusable(f"ended with {child.returncode}: {last}; `make judges` makes its environment anew")

    def _read(self, library: str, number: int) -> dict[str, Days]:
        file = self._directory / f"{number:05}.{library}.npz"
        with np.load(self._directory / f"{number:05}.handed.npz") as handed_:
            shape = handed_["change"].shape[1:3]
        try:
            with np.load(file) as said:
                return {row: _on_all_days(said[name], shape) for name, row in ROWS[library].items()}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise _Unusable(f"what it decided cannot be read from {file.name}: {error}") from error


def _pin(library: str) -> str:
    """The version that the rows are meant of, as judges.in says."""
    (found,) = (line for line in (HERE / "judges.in").read_text().split() if line.startswith(f"{library}=="))
    return found


def _on_all_days(said: Bools, shape: Sequence[int]) -> Days:
    """Decisions of the looks as those of the days; without a look nothing is decided."""
    if said.dtype != np.bool_ or said.shape != (2, *shape):
        raise ValueError(f"{said.dtype} of shape {said.shape}, not bool of shape {(2, *shape)}")
    days = np.zeros((2, shape[0], DAYS), bool)
    days[..., np.array(LOOKS) - 1] = said
    return Days(days[0], days[1])


def keep(path: Path, arrays: dict[str, Floats]) -> None:
    """Write arrays under their names."""
    # To its stubs any name might be `allow_pickle`, which is no array.
    np.savez(path, **arrays)  # type: ignore[arg-type]


def handed(panel: Panel) -> dict[str, Floats]:
    """Sums over the partners of each arm, control first, at each look, of data as they come.

    `level` is made of what a ratio is made of since the start: numerators, denominators, their squares, their products;
    of a value that is none, what each partner makes of it, over 1. `change` is made of what each partner makes of the
    change since the baseline, and its square, so that a difference of means is the difference in differences.
    """
    form = form_of(panel.kind)
    looks = [day - LEAST_DAYS for day in LOOKS]
    level, change = [], []
    for arm in reversed(arms(panel, 0, 0)):
        before, after = arm.before[:, looks], arm.after[:, looks]
        level.append(_of_ratio(panel.kind, form, after))
        moved = apiece(form, after) - apiece(form, before)
        change.append(np.stack([moved.sum(axis=-1), (moved**2).sum(axis=-1)], axis=-1))
    control = panel.sums.shape[1] - panel.pilot
    return {
        "level": np.stack(level),
        "change": np.stack(change),
        "partners": np.array([control, panel.pilot], np.float64),
        "days": np.array(LOOKS, np.float64),
        "ends": np.array(float(DAYS)),
        "margin": np.array(MARGIN[panel.kind]),
        "risk": np.array(RISK),
    }


def _of_ratio(kind: Kind, form: Form, sums: Floats) -> Floats:
    if kind is Kind.VELOCITY:
        above = apiece(form, sums)
        below = np.ones_like(above)
    else:
        above, below = 100 * sums[..., 0], sums[..., 1]
    return np.stack([one.sum(axis=-1) for one in (above, below, above**2, below**2, above * below)], axis=-1)


def apiece(form: Form, sums: Floats) -> Floats:
    """What each partner makes of a value: their mean is the value, and its error that of the jackknife."""
    partners = sums.shape[-2]
    without = form.value((sums.sum(axis=-2, keepdims=True) - sums) / (partners - 1))
    found: Floats = form.value(sums.mean(axis=-2))[..., None] + (partners - 1) * (
        without.mean(axis=-1, keepdims=True) - without
    )
    return found
