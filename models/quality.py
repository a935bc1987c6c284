"""How far facts can be trusted: what was counted of them, what each check found, and which bounds hold by default."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from pydantic import Field

from models.base import Frozen, Grown, Instant
from models.metric import CATALOGUE, Block, MetricName, MetricSpec


class Check(StrEnum):
    """One way in which facts can mislead."""

    FRESHNESS = "freshness"
    COMPLETENESS = "completeness"
    COSTS = "costs"
    COHORT = "cohort"
    COMPARED = "compared"
    PLAUSIBILITY = "plausibility"
    BAND = "band"
    IMPROVEMENT = "improvement"
    DUPLICATES = "duplicates"
    BACKDATING = "backdating"
    DRIFT = "drift"
    RESTATEMENT = "restatement"


class Severity(StrEnum):
    """Green says nothing, amber warns beside the verdict, red takes the verdict's place."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


DOUBT = "data in doubt"
"""How a reason begins that tells of an amber finding."""

BARELY = "holds only by"
"""How a reason begins that tells what a limit would not hold without."""


class Bounds(NamedTuple):
    """From which number on a check is amber, and from which red; None: never."""

    amber: float | None
    red: float | None


POINTS = "points"

UNITS = MappingProxyType(
    {
        Check.FRESHNESS: "days",
        Check.COMPLETENESS: "% missing",
        Check.COSTS: "% missing",
        Check.COHORT: "% missing",
        Check.COMPARED: "% missing",
        Check.PLAUSIBILITY: f"{POINTS} from the usual month",
        Check.BAND: "spreads from the median of the earlier values",
        Check.IMPROVEMENT: f"{POINTS} better than the baseline",
        Check.DUPLICATES: "% of the facts",
        Check.BACKDATING: "% of those in time",
        Check.DRIFT: "% of the partners",
        Check.RESTATEMENT: f"{POINTS} moved",
    }
)
"""What a bound of each check counts. Points are the metric's own unit; of pipeline velocity, which has none, they are
percent."""

DEFAULTS = MappingProxyType(
    {
        # Red by the metric's own agreed freshness.
        Check.FRESHNESS: Bounds(None, None),
        Check.COMPLETENESS: Bounds(5, 25),
        # Where the plan says so: one that was signed before these were is judged as it was (ADR 0061).
        Check.COSTS: Bounds(None, None),
        Check.COHORT: Bounds(None, None),
        Check.COMPARED: Bounds(None, None),
        # A month may be as bad as it looks: what no number alone can tell does not silence a guardrail.
        Check.PLAUSIBILITY: Bounds(15, None),
        # Two and a half, and five times the largest move that is natural (ADR 0053).
        Check.BAND: Bounds(5, 10),
        Check.IMPROVEMENT: Bounds(20, None),
        Check.DUPLICATES: Bounds(1, 10),
        Check.BACKDATING: Bounds(5, 25),
        Check.DRIFT: Bounds(15, 50),
        Check.RESTATEMENT: Bounds(1, 10),
    }
)
"""Bounds where the plan is silent."""

AGREED_ANEW = MappingProxyType({Check.COSTS: Bounds(5, 25), Check.COMPARED: Bounds(5, 25)})
"""What new plans say of checks that older ones know nothing of, where the metric has them. Of those of `SIGNED_WITHOUT`
it is what is usual."""


def _and_whoever_shares(*names: MetricName) -> frozenset[MetricName]:
    """Metrics of the framework, with those that read the same facts."""
    return frozenset(name for name, spec in CATALOGUE.items() if name in names or spec.facts_of in names)


WEEK_BY_WEEK = _and_whoever_shares(
    MetricName.LEAD_FOLLOW_UP_SLA, MetricName.PIPELINE_VELOCITY, MetricName.CONTRIBUTION_MARGIN
)
"""Metrics of what happened in a window: a source tells as much in one week as in another. The others are states:
courses and checks are given out in waves, and a month without any is no hole in the data."""

FLOWS = frozenset(name for name in WEEK_BY_WEEK if not CATALOGUE[name].checks_agreed)
"""Those of whose changes a partner's silence is asked as well. How changes of the others are judged was agreed before
their facts were counted."""


LIVING_ON = _and_whoever_shares(MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION) | {
    name for name, spec in CATALOGUE.items() if spec.block is Block.TENURE
}
"""Metrics whose facts live on: claims are decided and paid, courses completed and partners confirmed, long after the
day they are counted by, so that a source without a new one may well be telling."""


TWICE = _and_whoever_shares(MetricName.LEAD_FOLLOW_UP_SLA, MetricName.PIPELINE_VELOCITY)
"""Metrics of whose facts some may stand there again, alike in everything."""


def _signed_without(spec: MetricSpec) -> tuple[Check, ...]:
    """Who leaves is what churn counts, and of the list of partners nothing is restated."""
    volumes = (Check.COMPLETENESS,) if spec.name in WEEK_BY_WEEK else ()
    moved = () if spec.block is Block.TENURE else (Check.DRIFT, Check.RESTATEMENT)
    return (Check.FRESHNESS, *volumes, *moved)


SIGNED_WITHOUT = MappingProxyType(
    {name: _signed_without(spec) for name, spec in CATALOGUE.items() if spec.checks_agreed}
)
"""Checks that a metric did not have when the first plans named it. They are made where the plan gives them bounds, and
nowhere else (ADR 0061, 0074); new plans do."""


class SourceVolume(Frozen):
    """How much one source told of what a metric counts, against what it usually tells in a period.

    `partners` of the cohort have their newest fact from it; `through` is its newest day, None where it told nothing for
    as long as anybody looks back. Of the window's whole `periods` so many as `history` have enough regular ones before
    them to say what is usual. `short` ones told much less: `missing` is what they lack, out of `expected`.
    """

    source: str
    partners: int = 0
    through: date | None = None
    period_days: int = 7
    periods: int = 0
    history: int = 0
    expected: float = 0.0
    missing: float = 0.0
    short: int = 0


class OddMonth(Frozen):
    """A month of a source's ledger whose margin lies far from that of the months before it."""

    month: date
    currency: str
    value: float
    usual: float


class Gone(Frozen):
    """Partners of a cohort of whom nothing is heard any more: `silent` have no fact in the window, though they had some
    in each of the three windows before. `had` are those and the ones with facts in it; `left` are out of the programme.
    """

    had: int = 0
    silent: int = 0
    left: int = 0
    names: tuple[str, ...] = ()


class Restated(Frozen):
    """Facts of the window that said something else until lately. `before` is the value as they said it then."""

    facts: int = 0
    partners: tuple[str, ...] = ()
    before: float | None = None


class Earlier(Frozen):
    """What a rollout's earlier looks at this metric of this cohort found, `looks` of them: `usual` is the median of
    their values, `spread` how far they lie around it, both in the metric's unit. `since` is the first of the looks,
    without a break up to this one, whose values lie too far on the same side to say what is usual; None where this one
    does not."""

    looks: int
    usual: float
    spread: float = Field(gt=0)
    since: Instant | None = None


class Counts(Grown):
    """What was counted of the facts behind one reading; `judgement.quality` says what it means.

    `elsewhere` are sources that tell of others, where all of the cohort have their newest fact from one: how far data
    reach is told of all partners together, and so by those. `costs` are the sources of the lines of product cost, `own`
    is what the partners of the cohort told by themselves, from wherever, where the plan asks for that, `compared` the
    same of the partners whom its change is compared with.
    """

    later: ClassVar[frozenset[str]] = frozenset({"earlier", "elsewhere", "costs", "own", "compared"})

    sources: tuple[SourceVolume, ...] = ()
    elsewhere: tuple[str, ...] = ()
    costs: tuple[SourceVolume, ...] = ()
    own: SourceVolume | None = None
    compared: SourceVolume | None = None
    odd_months: tuple[OddMonth, ...] = ()
    duplicates: int = 0
    duplicate_partners: tuple[str, ...] = ()
    gone: Gone = Gone()
    restated: Restated = Restated()
    earlier: Earlier | None = None


class Finding(Frozen):
    """What a check found of one reading. `flattering`: whatever it is, it can only make the number look better."""

    check: Check
    severity: Severity
    found: str
    allowed: str
    sources: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    facts: int = 0
    flattering: bool = False


class QualityBound(Frozen):
    """What the owners agree of one check, instead of the default; of one source it goes before that of every source."""

    check: Check = Field(description="the check the bounds are for")
    source: str | None = Field(
        default=None, min_length=1, max_length=100, description="this source system only; left out: every one"
    )
    amber: float | None = Field(default=None, ge=0, description="a warning from here on; left out: never")
    red: float | None = Field(default=None, ge=0, description="not to be trusted from here on; left out: never")
