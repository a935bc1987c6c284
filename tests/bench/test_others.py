"""Libraries judge in an environment of their own: what they are handed, what comes back, and how it is said if not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench.judgement
import bench.others
from bench import apart
from bench.ground import Ground
from bench.judges import Days, arms, differences, form_of
from bench.others import LOOKS, NAMES, PYTHON, ROWS, CellOf, LeftOut, Others, handed, keep
from bench.panel import BASELINE, DAYS, PLAIN, Kind, Panel, World, make
from judgement.estimate import Floats
from judgement.gates import LEAST_DAYS

needs_them = pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-judges here; `make judges` makes it")

BETTER, WORSE = PLAIN.harmed("better", -5), PLAIN.harmed("worse", 5)
CELLS: list[CellOf] = [(kind, world, 12) for kind in (Kind.MARGIN, Kind.VELOCITY) for world in (BETTER, WORSE)]
ALIKE: CellOf = (Kind.MARGIN, World("partners who are all alike and stay so"), 12)


def panel(kind: Kind, world: World, rollouts: int = 3) -> Panel:
    return make(kind, world, 12, 30, rollouts, np.random.default_rng(3))


async def left_out(directory: Path, python: Path) -> tuple[list[LeftOut], list[str]]:
    """Who judged nothing, and what was told meanwhile."""
    others, told = Others(directory / "handed", python=python), list[str]()
    others.hand(CELLS[0], panel(Kind.SLA, PLAIN))
    found, without = await others.decide(told.append)
    assert found == {}
    return without, told


async def test_without_the_environment_libraries_are_left_out_with_what_makes_it(tmp_path: Path) -> None:
    without, told = await left_out(tmp_path, tmp_path / ".venv-judges" / "bin" / "python")
    assert [one.library for one in without] == list(ROWS)
    for one, line in zip(without, told, strict=True):
        assert f"no environment at {tmp_path / '.venv-judges'}; `make judges`" in one.reason
        assert line == f"LEFT OUT: {one.library}: {one.reason}"


async def test_an_environment_without_the_libraries_is_said_to_lack_them(tmp_path: Path) -> None:
    without, _ = await left_out(tmp_path, Path(sys.executable))
    assert [f"{one.library} is not installed; `make judges`" in one.reason for one in without] == [True, True]


async def test_an_environment_that_does_not_start_is_said_to(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_bytes(b"\x7fELF, but only so far")
    python.chmod(0o755)
    without, _ = await left_out(tmp_path, python)
    assert ["does not start" in one.reason for one in without] == [True, True]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("", "No such file"),
        (": > $FILE", "No data left in file"),
        ("echo rubbish > $FILE", "cannot be read"),
        (
            f"{sys.executable} -c 'import numpy, sys; numpy.savez(sys.argv[1], default=[1.0])' $FILE",
            "not bool of shape",
        ),
        (f"{sys.executable} -c 'import numpy, sys; numpy.savez(sys.argv[1], other=[1.0])' $FILE", "not a file in"),
    ],
    ids=["nothing", "empty", "rubbish", "another shape", "another name"],
)
async def test_what_cannot_be_read_of_a_library_is_not_taken_for_a_decision(
    tmp_path: Path, write: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nFILE=$4/00000.gbstats.npz\n{write}\n")
    python.chmod(0o755)
    without, _ = await left_out(tmp_path, python)
    assert said in without[0].reason
    assert "00000.gbstats.npz" in without[0].reason


def test_another_version_than_the_pinned_one_judges_nothing(tmp_path: Path) -> None:
    assert apart.main("numpy==0.1", tmp_path) == f"numpy {np.__version__} is installed, not 0.1"


def test_no_interval_neither_pauses_nor_is_met() -> None:
    nothing = apart.decided({"margin": np.array(3.0)}, np.full((3, 2, 4), np.nan))
    assert not nothing.any()


def test_looks_lie_on_the_days_that_tables_speak_of() -> None:
    assert (LOOKS[0], LOOKS[-1]) == (LEAST_DAYS, DAYS)
    assert bench.judgement.MIDDLE in LOOKS


@pytest.mark.parametrize("kind", Kind)
def test_libraries_are_handed_the_difference_in_differences_and_the_error_of_the_jackknife(kind: Kind) -> None:
    """Where neither is given, as of velocity before a deal is won, what is handed says nothing either."""
    of = panel(kind, World("late", late=True), rollouts=20)
    expected = differences(form_of(kind), *arms(of, 0, 0))
    given = handed(of)
    looks = [day - LEAST_DAYS for day in LOOKS]
    partners = given["partners"][:, None, None]
    mean, square = np.moveaxis(given["change"], -1, 0) / partners
    error = np.sqrt(((square - mean**2) / (partners - 1)).sum(axis=0))
    np.testing.assert_allclose(mean[1] - mean[0], expected.change[:, looks], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(error, expected.error[:, looks], rtol=1e-6)


@pytest.mark.parametrize("kind", Kind)
def test_libraries_are_handed_the_value_of_each_arm_as_a_ratio(kind: Kind) -> None:
    of = panel(kind, PLAIN)
    pilot, control = arms(of, 0, 0)
    for side, arm in zip(handed(of)["level"], (control, pilot), strict=True):
        value = form_of(kind).value(arm.after.mean(axis=-2))[:, [day - LEAST_DAYS for day in LOOKS]]
        np.testing.assert_allclose(side[..., 0] / side[..., 1], value, rtol=1e-9)


@pytest.fixture(scope="module")
async def decided(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[CellOf, str], list[Days]]:
    """What the real libraries decide, of each cell in two panels."""
    others = Others(tmp_path_factory.mktemp("others"))
    for kind, world, pilot in CELLS:
        for rollouts in (3, 2):
            others.hand((kind, world, pilot), panel(kind, world, rollouts))
    alike = np.broadcast_to([0.25, 1.0], (1, 42, BASELINE + DAYS, 2))
    others.hand(ALIKE, Panel(Kind.MARGIN, alike, 12, np.ones(5)))
    found, without = await others.decide(lambda _: None)
    assert without == []
    return found


@needs_them
@pytest.mark.parametrize("name", NAMES)
def test_libraries_decide_of_every_rollout_on_the_days_of_their_looks(
    name: str, decided: dict[tuple[CellOf, str], list[Days]]
) -> None:
    between = [day - 1 for day in range(1, DAYS + 1) if day not in LOOKS]
    for of in CELLS:
        parts = decided[of, name]
        assert [part.pauses.shape for part in parts] == [(3, DAYS), (2, DAYS)]
        for part in parts:
            assert not (part.pauses & part.met).any()
            assert not part.pauses[:, between].any()
            assert not part.met[:, between].any()


@needs_them
@pytest.mark.parametrize("name", NAMES[1:])
def test_libraries_tuned_to_partners_pause_what_is_much_worse_and_find_what_is_much_better_met(
    name: str, decided: dict[tuple[CellOf, str], list[Days]]
) -> None:
    worse, better = (decided[(Kind.MARGIN, world, 12), name] for world in (WORSE, BETTER))
    assert all(part.pauses[:, -1].all() for part in worse)
    assert not any(part.met.any() for part in worse)
    assert not any(part.pauses.any() for part in better)
    assert all(part.met[:, -1].all() for part in better)


@needs_them
def test_an_interval_that_gbstats_gives_with_an_error_is_none(
    decided: dict[tuple[CellOf, str], list[Days]],
) -> None:
    """Without variance it says 0 to 0, which is above any margin."""
    for name in ROWS["gbstats"].values():
        (days,) = decided[ALIKE, name]
        assert not days.pauses.any()
        assert not days.met.any()


@needs_them
def test_gbstats_on_differences_decides_by_its_published_interval(
    decided: dict[tuple[CellOf, str], list[Days]],
) -> None:
    """Equation 9 with 161 of Waudby-Smith et al., arXiv:2103.06476, two-sided at twice the risk."""
    of: CellOf = (Kind.VELOCITY, WORSE, 12)
    found = differences(form_of(Kind.VELOCITY), *arms(panel(Kind.VELOCITY, WORSE), 0, 0))
    alpha, partners = 0.1, 42
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / partners
    k = partners * rho2 + 1
    width = found.error * np.sqrt(2 * k * np.log(np.sqrt(k) / alpha) / (k - 1))
    pauses = (found.change + width < 0) & (found.change <= np.log(0.85))
    looks = np.array(LOOKS)
    said = decided[of, ROWS["gbstats"]["changes"]][0].pauses[:, looks - 1]
    assert (said == pauses[:, looks - LEAST_DAYS]).all()
    assert 0 < said.sum() < said.size


WHOLE = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import apart
from pandas import DataFrame
from spotify_confidence import ZTest

handed = dict(np.load(sys.argv[2]))
rows = [
    (arm, day, mean * units * day, (square - mean**2 * units) / (units - 1) * day * (units * day - 1)
     + mean**2 * units * day, units * day, handed["partners"].sum() * handed["ends"])
    for arm, units in enumerate(handed["partners"])
    for day, (total, square) in zip(handed["days"], handed["change"][arm, 0])
    for mean in [total / units]
]
columns = ["arm", "day", "sum", "squares", "units", "planned"]
test = ZTest(DataFrame(rows, columns=columns), "sum", "squares", "units", "arm", "day", interval_size=0.90)
said = test.difference(0, 1, groupby="day", final_expected_sample_size_column="planned", verbose=True)
point = said["difference"].to_numpy()
whole = np.stack([said["adjusted ci_lower"].to_numpy(), said["adjusted ci_upper"].to_numpy(), point])
seen = []
apart.decided = lambda handed, found: seen.append(found) or found[:2]
apart.spotify_confidence(handed)
print(json.dumps([whole.tolist(), seen[0][:, 0].tolist()]))
"""


@needs_them
def test_spotifys_own_sequential_test_gives_the_intervals_that_its_functions_gave(tmp_path: Path) -> None:
    """It is run whole of one rollout, on partner-days as units, whose number grows as days pass."""
    given: dict[str, Floats] = handed(panel(Kind.MARGIN, WORSE, rollouts=1))
    some = slice(0, None, 7)
    given |= {"days": given["days"][some], "change": given["change"][:, :, some], "level": given["level"][:, :, some]}
    keep(tmp_path / "given.npz", given)
    command: list[str | Path] = [
        PYTHON,
        "-W",
        "ignore",
        "-c",
        WHOLE,
        Path(apart.__file__).parent,
        tmp_path / "given.npz",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, ours = json.loads(done.stdout)
    assert len(whole[0]) == len(given["days"]) > 3
    np.testing.assert_allclose(ours, whole, rtol=1e-6)


@pytest.mark.parametrize("quick", [True, False])
async def test_the_bench_says_that_rows_are_left_out_unless_it_is_quick(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.others, "PYTHON", tmp_path / "bin" / "python")
    for name, value in {
        "ROLLOUTS": 2,
        "SIZES": ((8, 12),),
        "HEALTHY": (PLAIN, PLAIN),
        "HARMED": (WORSE, WORSE),
    }.items():
        monkeypatch.setattr(bench.judgement, name, value)
    told: list[str] = []
    async with Ground(told.append, quick=quick) as ground:
        found = await bench.judgement.run(ground)
    rows = [row for profile in found.profiles for row in profile.rows]
    assert not {row[0] for row in rows} & set(NAMES)
    missing = [profile for profile in found.profiles if profile.title.startswith("LEFT OUT")]
    assert [[library for library, _ in profile.rows] for profile in missing] == ([] if quick else [list(ROWS)])
    assert any("LEFT OUT" in line for line in told) is not quick
