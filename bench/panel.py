"""Made-up partners day by day, a pilot among them: what happens to them in rollouts that change nothing, or do harm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from judgement.estimate import Floats

BASELINE, DAYS, LATEST = 56, 90, 5
"""Days of the baseline and of the rollout; days until everything that happened is known."""

KNOWN = np.array((0.35, 0.6, 0.8, 0.9, 0.97))
"""Share of what went well that a late feed has told by the evening of the day, the day after, and so on."""


class Kind(StrEnum):
    """Metrics of each form that can be judged."""

    SLA = "SLA"
    MARGIN = "margin"
    VELOCITY = "velocity"


MARGIN = {Kind.SLA: 5.0, Kind.MARGIN: 3.0, Kind.VELOCITY: float(-np.log1p(-0.15))}
"""What is material: points, points, and 15 percent on the log scale."""


class Pick(StrEnum):
    """How the pilot was chosen."""

    CHANCE = "by chance"
    GOOD_MONTH = "from those whose last month was good"
    BAD_MONTH = "from those whose last month was bad"
    GOOD = "from the better half of the baseline"
    BAD = "from the worse half of the baseline"


@dataclass(frozen=True)
class World:
    """What partners are like and what happens to all of them. Shares are on the logit scale for the SLA.

    `effect` counts margins, for the worse, from day `onset` on, of a share `hit` of the pilot.
    """

    name: str
    heavy: bool = False
    season: float = 0.0
    drift: float = 0.0
    market: float = 0.0
    late: bool = False
    pick: Pick = Pick.CHANCE
    effect: float = 0.0
    onset: int = 0
    hit: float = 1.0

    def harmed(self, name: str, effect: float, *, onset: int = 0, hit: float = 1.0) -> World:
        """The same with harm."""
        return replace(self, name=name, effect=effect, onset=onset, hit=hit)


PLAIN = World("nothing changes")
HEALTHY = (
    PLAIN,
    World("heavy tails", heavy=True),
    World("season", season=0.6),
    World("partners drift", drift=0.06),
    World("market falls for all", market=1.0),
    World("late feed", late=True),
    *(World(f"picked {pick}", pick=pick) for pick in Pick if pick is not Pick.CHANCE),
)
HARMED = (
    PLAIN.harmed("half a margin", 0.5),
    PLAIN.harmed("2 margins", 2),
    PLAIN.harmed("5 margins", 5),
    PLAIN.harmed("3 margins from day 31", 3, onset=30),
    PLAIN.harmed("3 margins, half of the pilot", 3, hit=0.5),
)


class Panel(NamedTuple):
    """Sums by rollout, partner, day and sum; the first `pilot` partners are the pilot's, the first days the baseline.

    `known` is, by days of age, the share of the pilot's numerators that is known; all of it where nothing comes late.
    """

    kind: Kind
    sums: Floats
    pilot: int
    known: Floats


def make(kind: Kind, world: World, pilot: int, control: int, rollouts: int, chance: np.random.Generator) -> Panel:
    """Rollouts of a pilot and those it is compared with, who are everybody else."""
    partners, days = pilot + control, BASELINE + DAYS
    size = _sizes(world, (rollouts, partners, 1), chance)
    lean = _leaning(world, rollouts, partners, days, chance)
    order = np.tile(np.arange(partners), (rollouts, 1))
    untouched = np.zeros((rollouts, partners, days))
    state = _State(kind, world, size, lean, chance)
    sums = state.happens(untouched)
    if world.pick is not Pick.CHANCE:
        order = _picked(world.pick, sums, pilot, chance)
        state, sums = state.ordered(order), np.take_along_axis(sums, order[..., None, None], axis=1)
    if world.effect:
        hit = chance.random((rollouts, partners)) < world.hit
        hit[:, pilot:] = False
        harm = untouched.copy()
        harm[..., BASELINE + world.onset :] = world.effect * hit[..., None]
        sums[..., BASELINE:, :] = state.happens(harm)[..., BASELINE:, :]
    known = np.concatenate([KNOWN if world.late else np.ones(LATEST), np.ones(days)])
    return Panel(kind, sums, pilot, known)


def _sizes(world: World, shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    if world.heavy:
        return chance.pareto(1.5, shape) + 0.2
    return np.exp(chance.normal(-0.5, 1.0, shape))


def _leaning(world: World, rollouts: int, partners: int, days: int, chance: np.random.Generator) -> Floats:
    """How partners do on each day, on a scale of standard deviations: their weeks, their drift, what moves all."""
    weeks = days // 7 + 1
    of_weeks = 0.3 * _wandering(chance, (rollouts, partners, weeks), 0.5)
    of_weeks += np.cumsum(chance.normal(0, 1, (rollouts, partners, weeks)) * world.drift, axis=-1)
    shared = 0.25 * _wandering(chance, (rollouts, 1, days), 0.9)
    day = np.arange(days)
    shared += 0.2 * np.sin(2 * np.pi * day / 7)
    shared += world.season * np.sin(2 * np.pi * day / 120 + chance.uniform(0, 2 * np.pi, (rollouts, 1, 1)))
    found: Floats = np.repeat(of_weeks, 7, axis=-1)[..., :days] + shared
    return found


def _wandering(chance: np.random.Generator, shape: tuple[int, ...], memory: float) -> Floats:
    """An autoregressive series of unit variance along the last axis."""
    steps: Floats = chance.normal(0, 1, shape)
    for at in range(1, shape[-1]):
        steps[..., at] = memory * steps[..., at - 1] + np.sqrt(1 - memory**2) * steps[..., at]
    return steps


class _State:
    """What a world's partners are, so that the same ones can be harmed or not."""

    def __init__(self, kind: Kind, world: World, size: Floats, lean: Floats, chance: np.random.Generator) -> None:
        self._kind, self._world, self._chance = kind, world, chance
        self._size, self._lean = size, lean
        self._own = chance.normal(0, 1, size.shape)

    def ordered(self, order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> _State:
        """The same partners in another order."""
        found = _State(self._kind, self._world, self._size, self._lean, self._chance)
        for name in ("_size", "_lean", "_own"):
            setattr(found, name, np.take_along_axis(getattr(self, name), order[..., None], axis=1))
        return found

    def happens(self, harm: Floats) -> Floats:
        """Sums by partner and day, with so many margins of harm."""
        fall = np.zeros(harm.shape[-1])
        fall[BASELINE + 20 :] = self._world.market
        match self._kind:
            case Kind.SLA:
                return self._leads(harm, fall)
            case Kind.MARGIN:
                return self._sales(harm, fall)
            case _:
                return self._deals(harm, fall)

    def _leads(self, harm: Floats, fall: Floats) -> Floats:
        """Leads answered in time: beta-binomial by partner and week, about 87 percent."""
        answered = 1 / (1 + np.exp(-(1.9 + 0.6 * self._own + self._lean)))
        answered = np.clip(answered - 0.08 * fall - harm * MARGIN[Kind.SLA] / 100, 0, 1)
        leads = self._chance.poisson(self._size * np.ones(harm.shape))
        return np.stack([self._chance.binomial(leads, answered), leads], axis=-1).astype(np.float64)

    def _sales(self, harm: Floats, fall: Floats) -> Floats:
        """Revenue of log-normal deals, and what of it is left: about 20 percent."""
        rate = 0.2 + 0.04 * self._own + 0.05 * self._lean - 0.08 * fall - harm * MARGIN[Kind.MARGIN] / 100
        deals = self._chance.poisson(0.6 * self._size * np.ones(harm.shape))
        several = np.sqrt(np.maximum(deals, 1))
        spread = 1.8 if self._world.heavy else 1.0
        revenue = deals * np.exp(self._chance.normal(0, spread / several))
        return np.stack([revenue * (rate + self._chance.normal(0, 0.06 / several)), revenue], axis=-1)

    def _deals(self, harm: Floats, fall: Floats) -> Floats:
        """Deals won, their value, and how long they took."""
        pace = self._size * np.exp(0.3 * self._own + 0.5 * self._lean - 0.3 * fall - harm * MARGIN[Kind.VELOCITY])
        deals = self._chance.poisson(0.4 * pace)
        several = np.sqrt(np.maximum(deals, 1))
        spread = 1.4 if self._world.heavy else 0.8
        value = deals * np.exp(self._chance.normal(0, spread / several))
        cycle = deals * 40 * np.exp(self._chance.normal(0, 0.4 / several))
        return np.stack([value, deals.astype(np.float64), cycle], axis=-1)


def _picked(
    pick: Pick, sums: Floats, pilot: int, chance: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """An order of partners whose first are chosen by chance from half of them, by how they did."""
    days = slice(BASELINE - 28, BASELINE) if pick in (Pick.GOOD_MONTH, Pick.BAD_MONTH) else slice(0, BASELINE)
    totals = sums[..., days, :].sum(axis=-2)
    with np.errstate(all="ignore"):
        did = totals[..., 0] / totals[..., 1]
    good = pick in (Pick.GOOD_MONTH, Pick.GOOD)
    ranked = np.argsort(np.where(np.isfinite(did), -did if good else did, np.inf), axis=1)
    half = max(ranked.shape[1] // 2, pilot)
    first = np.stack([row[chance.permutation(half)[:pilot]] for row in ranked])
    taken = np.zeros(ranked.shape, dtype=bool)
    np.put_along_axis(taken, first, True, axis=1)
    rest = np.argsort(taken, axis=1, kind="stable")[:, : ranked.shape[1] - pilot]
    return np.concatenate([first, rest], axis=1)
