"""Evidence: what was measured (snapshot), and what it means (assessment with its verdicts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from models.base import Frozen, Grown, Instant
from models.change import MaterialChange
from models.metric import MetricName, MetricUse
from models.plan_metric import OnBreach
from models.quality import Counts, Finding


class Window(Frozen):
    """Half-open `[start, end)` in programme time."""

    start: Instant
    end: Instant


class PartnerReading(Frozen):
    """One partner's share of a metric in a window. `parts` are the pieces the formula needs, by name."""

    partner_id: str
    numerator: float | None
    denominator: float | None
    facts: int
    parts: dict[str, float] = {}


class LeadDriver(Frozen):
    """A lead that ran past its deadline, with the partner it was assigned to."""

    partner_id: str
    lead_id: str
    due_at: Instant
    state: str


class GroupValue(Frozen):
    """A metric over a group of partners. `value` is None exactly when `reason` says why it cannot be given."""

    value: float | None
    reason: str | None = None
    numerator: float | None = None
    denominator: float | None = None
    n_partners: int = 0
    n_facts: int = 0
    parts: dict[str, float] = {}


class CohortReading(Grown):
    """One metric of one cohort in a snapshot. `quality` is what was counted of the facts behind it."""

    later: ClassVar[frozenset[str]] = frozenset({"quality"})

    cohort: str
    metric: MetricName
    window: Window
    group: GroupValue
    data_through: Instant | None
    definition_version: int = 1
    top_partners: tuple[PartnerReading, ...] = ()
    leads: tuple[LeadDriver, ...] = ()
    quality: Counts = Counts()


class Matured(Frozen):
    """Which matured days of a metric were measured, of a cohort and of the partners it is compared with.

    `since` is where each stretch begins: when the cohort was enrolled, then each later enlargement of the rollout;
    all of them end at `through`. `compared` is the name of those beside it, None where nobody is left; `members` is
    how many partners both have as they were frozen, whether or not they have facts.
    """

    cohort: str
    metric: MetricName
    since: tuple[Instant, ...]
    through: Instant
    compared: str | None
    members: tuple[int, int]


class Snapshot(Grown):
    """What was measured as of one moment, in one consistent read. The full rows are in the store under `digest`.

    `comparison` are the same metrics over the same windows of partners who are not enrolled: nobody judges them by
    themselves. `changes` tells what was measured for metrics that are judged by their change.
    """

    later: ClassVar[frozenset[str]] = frozenset({"comparison", "changes"})

    evidence_id: str
    digest: str
    as_of: Instant
    readings: tuple[CohortReading, ...]
    comparison: tuple[CohortReading, ...] = ()
    changes: tuple[Matured, ...] = ()


class Verdict(StrEnum):
    """Four, never two: absence of data is never a pass."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_TELL = "cannot tell"
    NO_EVIDENCE = "no evidence"


class Look(NamedTuple):
    """An earlier reading as it was judged by itself: `beyond` is what it adds to the count of breaches, True one, False
    the end of a run of them, None nothing."""

    at: datetime
    verdict: Verdict
    beyond: bool | None


class Breaches(Frozen):
    """How often this metric of this cohort was beyond its threshold in the present phase."""

    in_a_row: int = 0
    in_all: int = 0


class Comparison(Frozen):
    """The same metric of partners who are not enrolled, over the same window, and over the baseline's.

    `difference` is how much more the cohort moved since its baseline than they did: difference in differences, of
    values as they stand, without any statistics. `partners` is how many they are.
    """

    cohort: str
    value: float | None
    baseline: float | None
    difference: float | None
    partners: int
    facts: int


class Contribution(Frozen):
    """How much of a change one partner makes up, in the metric's unit: over all partners they add up to it.

    `own` is what the partner's own numbers did, `mix` what a larger or smaller share of the whole did. `then` and
    `now` are the partner's own value; `facts` are ids of those that count most.
    """

    partner_id: str
    change: float
    own: float
    mix: float
    then: float | None
    now: float | None
    facts: tuple[str, ...] = ()


class MetricAssessment(Grown):
    """One metric of one cohort judged: the verdict, every reason, and the numbers behind it.

    `verdict` is not met only when the breach is more than the plan tolerates; `beyond_threshold` tells whether
    this reading, by itself, lies beyond. `warning` tells that it lies in the warning band, or that its data give
    reason for doubt. `untrusted`: a check of the data is red, and the verdict rests on that. `quality` is what the
    checks found; `contributions` are the partners who moved the number most, by how much. Where a change is judged,
    `change` is what came of it, and `by_thresholds` and `by_change` are the verdicts of each by itself. `looked` is the
    verdict of this look by itself where the looks before it make another of it: *met* too few times in a row yet, or
    nothing said for longer than agreed.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {"untrusted", "comparison", "quality", "contributions", "change", "by_thresholds", "by_change", "looked"}
    )

    cohort: str
    metric: MetricName
    use: MetricUse
    on_breach: OnBreach
    verdict: Verdict
    reasons: tuple[str, ...]
    value: float | None
    thresholds: tuple[str, ...]
    baseline: float | None
    interval: tuple[float, float] | None = None
    n_partners: int
    n_facts: int
    minimum_sample_reached: bool
    data_current: bool
    data_through: Instant | None
    data_age: timedelta | None
    beyond_threshold: bool = False
    warning: bool = False
    breaches: Breaches = Breaches()
    must: bool = True
    weight: float = 1.0
    partners: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    untrusted: bool = False
    comparison: Comparison | None = None
    quality: tuple[Finding, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    change: MaterialChange | None = None
    by_thresholds: Verdict | None = None
    by_change: Verdict | None = None
    looked: Verdict | None = None

    @property
    def by_itself(self) -> Verdict:
        """What this look says, apart from how often."""
        return self.looked or self.verdict

    @property
    def blind(self) -> bool:
        """Whether it is *not met* because nothing could be said for longer than agreed."""
        return self.verdict is Verdict.NOT_MET and self.looked is not None


class StopTrigger(Frozen):
    """A stop condition of the plan that the evidence fulfils."""

    condition: str
    metric: MetricName
    cohort: str
    value: float


class Assessment(Frozen):
    """What a snapshot means against the agreed thresholds. `digest` covers everything but itself and the id."""

    evidence_id: str
    digest: str
    snapshot_digest: str
    as_of: Instant
    items: tuple[MetricAssessment, ...]
    stop: tuple[StopTrigger, ...] = ()


class Baseline(Frozen):
    """A frozen baseline: one metric of one cohort, measured before anything was enrolled."""

    cohort: str
    metric: MetricName
    window: Window
    value: float | None
    reason: str | None = None
    n_partners: int
    n_facts: int
    definition_version: int
    evidence_digest: str


def sealed_body(as_of: datetime, parts: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What the digest of a snapshot covers, as JSON: its readings and the partners' rows behind them; those of others
    beside them, and what changes are judged from, where there are any.

    Args:
        parts: `readings`, `rows`, `comparison`, `changes` and `stretches`, each a sequence of JSON objects.
    """
    body: dict[str, Any] = {"as_of": as_of.isoformat(), "readings": parts["readings"], "rows": parts["rows"]}
    if parts.get("comparison"):
        body["comparison"] = parts["comparison"]
    if parts.get("changes"):
        body |= {"changes": parts["changes"], "stretches": parts["stretches"]}
    return body
