"""Run by the Python of .venv-judges: what one library there decides of the sums in a directory, file by file."""

# Nothing of ours is imported here: that environment has other versions of everything. `bench.others` starts this.

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

CONTROL, PILOT = 0, 1
LOWER, UPPER, POINT = 0, 1, 2

Handed = dict[str, Any]
Decided = dict[str, Any]


def gbstats(handed: Handed) -> Decided:
    """Its confidence sequence, of the values as it is meant for, by default and tuned to so many; and of the changes.

    Two-sided at twice the risk: of this release the one-sided interval for "less" has its end on the wrong side.
    """
    from gbstats.frequentist.tests import SequentialConfig

    absolute: Any = "absolute"
    alpha, partners = 2 * float(handed["risk"]), int(handed["partners"].sum())
    default = SequentialConfig(difference_type=absolute, alpha=alpha)
    tuned = SequentialConfig(difference_type=absolute, alpha=alpha, sequential_tuning_parameter=partners)
    return {
        "default": decided(handed, _each(handed, "level", _of_ratios, default)),
        "tuned": decided(handed, _each(handed, "level", _of_ratios, tuned)),
        "changes": decided(handed, _each(handed, "change", _of_means, tuned)),
    }


def _each(handed: Handed, sums: str, statistic: Callable[[int, Any], Any], config: Any) -> Any:
    """Its interval and point for each rollout and look; NaN where it gives none."""
    from gbstats.frequentist.tests import SequentialTwoSidedTTest

    given, partners = handed[sums], [int(number) for number in handed["partners"]]
    found = np.full((3, *given.shape[1:3]), np.nan)
    for at in np.ndindex(*given.shape[1:3]):
        arms = given[(slice(None), *at)]
        if not np.isfinite(arms).all():
            continue
        control, pilot = (statistic(partners[arm], arms[arm].tolist()) for arm in (CONTROL, PILOT))
        result = SequentialTwoSidedTTest(control, pilot, config).compute_result()
        # With an error it says an interval from 0 to 0, which must not be read as "nothing changed".
        if result.error_message is None:
            found[(slice(None), *at)] = (*result.ci, result.expected)
    return found


def _of_ratios(partners: int, sums: list[float]) -> Any:
    from gbstats.models.statistics import RatioStatistic, SampleMeanStatistic

    above, below, above_squares, below_squares, products = sums
    return RatioStatistic(
        n=partners,
        m_statistic=SampleMeanStatistic(n=partners, sum=above, sum_squares=above_squares),
        d_statistic=SampleMeanStatistic(n=partners, sum=below, sum_squares=below_squares),
        m_d_sum_of_products=products,
    )


def _of_means(partners: int, sums: list[float]) -> Any:
    from gbstats.models.statistics import SampleMeanStatistic

    return SampleMeanStatistic(n=partners, sum=sums[0], sum_squares=sums[1])


def spotify_confidence(handed: Handed) -> Decided:
    """Its z-test within its group-sequential bounds, by its own functions over all rollouts and looks in one go.

    Its `ZTest` runs the same ones, but solves the bounds anew for every rollout, seconds each time. And it takes the
    fraction of units for that of information; partners are all there from the first day, so days are taken instead.
    """
    from spotify_confidence.analysis import constants as names
    from spotify_confidence.analysis.frequentist.confidence_computers import z_test_computer

    shape = handed["change"].shape[1:3]
    columns = {names.NUMERATOR: "sum", names.NUMERATOR_SUM_OF_SQUARES: "squares", names.DENOMINATOR: "units"}
    compared = _frame({"alpha": np.tile(_alphas(handed), shape[0]), names.PREFERENCE_TEST: names.TWO_SIDED})
    for arm, suffix in ((CONTROL, names.SFX1), (PILOT, names.SFX2)):
        sums = handed["change"][arm].reshape(-1, 2)
        one = _frame({"sum": sums[:, 0], "squares": sums[:, 1], "units": float(handed["partners"][arm])})
        one[names.ORIGINAL_POINT_ESTIMATE] = z_test_computer.point_estimate(one, **columns)
        compared[names.POINT_ESTIMATE + suffix] = one[names.ORIGINAL_POINT_ESTIMATE]
        compared[names.VARIANCE + suffix] = z_test_computer.variance(one, **columns)
        compared["units" + suffix] = one["units"]
    points = compared[names.POINT_ESTIMATE + names.SFX2] - compared[names.POINT_ESTIMATE + names.SFX1]
    compared[names.DIFFERENCE] = points
    compared[names.STD_ERR] = z_test_computer.std_err(compared, **columns)
    lower, upper = z_test_computer.ci(compared, "alpha", **columns)
    found = np.stack([side.to_numpy(dtype=float).reshape(shape) for side in (lower, upper, points)])
    return {"sequential": decided(handed, found)}


def _frame(columns: Handed) -> Any:
    from pandas import DataFrame

    return DataFrame(columns)


def _alphas(handed: Handed) -> Any:
    """Of a two-sided test at each look."""
    return np.array(_solved(tuple((handed["days"] / handed["ends"]).tolist()), float(handed["risk"])))


@lru_cache
def _solved(fractions: tuple[float, ...], risk: float) -> tuple[float, ...]:
    from scipy.stats import norm
    from spotify_confidence.analysis.frequentist.confidence_computers.z_test_computer import sequential_bounds

    bounds = sequential_bounds(np.array(fractions), alpha=2 * risk, sides=2).bounds
    return tuple((2 * norm.sf(bounds.astype(float))).tolist())


def decided(handed: Handed, found: Any) -> Any:
    """Whether it pauses, and whether it says *met*, by our rule; nothing where there is no interval."""
    margin = float(handed["margin"])
    pauses = (found[UPPER] < 0) & (found[POINT] <= -margin)
    return np.stack([pauses, (found[LOWER] > -margin) & ~pauses])


LIBRARIES = {"gbstats": gbstats, "spotify-confidence": spotify_confidence}


def main(pin: str, directory: Path) -> str:
    """Decide of every file; what went wrong before that, or nothing."""
    library, _, pinned = pin.partition("==")
    try:
        installed = version(library)
    except PackageNotFoundError:
        return f"{library} is not installed"
    if installed != pinned:
        return f"{library} {installed} is installed, not {pinned}"
    files = sorted(directory.glob("*.handed.npz"))
    for done, file in enumerate(files, start=1):
        with np.load(file) as handed:
            said = LIBRARIES[library](dict(handed))
        np.savez(file.with_name(f"{file.name.split('.')[0]}.{library}.npz"), **said)
        if done * 10 // len(files) > (done - 1) * 10 // len(files):
            print(f"{library}: {done} of {len(files)} panels", flush=True)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])) or 0)
