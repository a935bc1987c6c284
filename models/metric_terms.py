"""What a metric's catalogue entry is made of: units, directions, groups, parts, defaults, reasons for no value."""

from __future__ import annotations

import re
from enum import StrEnum

from models.base import Frozen


class MetricName(StrEnum):
    """Names are written into plans, histories and evidence: one may be added, and none renamed or taken away."""

    CONTRIBUTION_MARGIN = "contribution_margin"
    PIPELINE_VELOCITY = "pipeline_velocity"
    COMPLIANCE_SCORE = "compliance_score"
    MDF_SPEND = "mdf_spend"
    ENABLEMENT_COMPLETION = "enablement_completion"
    LEAD_FOLLOW_UP_SLA = "lead_follow_up_sla"
    PARTNER_CHURN = "partner_churn"
    DISCOUNT_LEAKAGE = "discount_leakage"
    CERTIFIED_PARTNERS = "certified_partners"
    LEAD_ACCEPTANCE = "lead_acceptance"


class MetricUse(StrEnum):
    """What a metric does in a rollout: outcomes let it go on, guardrails pause it."""

    OUTCOME = "outcome"
    GUARDRAIL = "guardrail"


class Direction(StrEnum):
    HIGHER = "higher is better"
    LOWER = "lower is better"
    TWO_SIDED = "both sides are alarms"


class Scale(StrEnum):
    """Which numbers a metric can take."""

    SHARE = "between 0 and 100 whatever happens"
    PERCENT = "of a hundred, below 0 and above 100 as well"
    AMOUNT = "an amount"


class Grouping(StrEnum):
    """How the partners of a cohort become one number. It is never the mean of their ratios."""

    RATIO_OF_SUMS = "sum of the numerators / sum of the denominators"
    MEAN_OF_SCORES = "mean over the partners who have a score"
    FROM_PARTS = "the formula over the summed parts"


class Block(StrEnum):
    """What one block of a metric's past is, of which other pasts can be drawn."""

    FLOW = "a day; sums of days are added up"
    STATE = "a reading of the state as it was then, one a week"
    TENURE = "a day; what is lost is added up, what it is lost of is not"


class NoValue(StrEnum):
    """Why a metric of a group cannot be given."""

    NO_DATA = "no_data"
    NOT_A_NUMBER = "not_a_number"
    MISSING_FX_RATE = "missing_fx_rate"
    OVER_CREDITED = "over_credited"
    NO_POSITIVE_REVENUE = "no_positive_revenue"
    NO_COST_DATA = "no_cost_data"
    NO_CLOSED_DEALS = "no_closed_deals"
    LOW_COVERAGE = "low_coverage"
    UNBUDGETED_SPEND = "unbudgeted_spend"
    PERIOD_TOO_YOUNG = "period_too_young"
    NOTHING_DUE = "nothing_due"
    NOTHING_DECIDED = "nothing_decided"
    NOBODY_AT_START = "nobody_at_start"
    NO_LIST_VALUE = "no_list_value"


WHY_NO_VALUE: dict[NoValue, str] = {
    NoValue.NO_DATA: "nobody of the cohort has a fact, or none that applies",
    NoValue.NOT_A_NUMBER: "a sum is beyond all numbers",
    NoValue.MISSING_FX_RATE: "an amount has no rate for its month, and unlike currencies are never added",
    NoValue.OVER_CREDITED: "the shares of one revenue line are above one: revenue would count twice",
    NoValue.NO_POSITIVE_REVENUE: "nothing was sold, or there are only returns and credits",
    NoValue.NO_COST_DATA: "revenue without any cost is a missing feed, not a margin of 100 percent",
    NoValue.NO_CLOSED_DEALS: "no deal has been won or lost yet; only lost deals are zero",
    NoValue.LOW_COVERAGE: "less than 80 percent of what should be looked at can be",
    NoValue.UNBUDGETED_SPEND: "money is spent or promised that nobody allocated; *not met*, whatever the sample",
    NoValue.PERIOD_TOO_YOUNG: "less than a quarter of the fund period is gone",
    NoValue.NOTHING_DUE: "no assignment is due, and none was completed early",
    NoValue.NOTHING_DECIDED: "every lead is pending, excluded or invalid",
    NoValue.NOBODY_AT_START: "nobody of the cohort was a partner at the window's start",
    NoValue.NO_LIST_VALUE: "no line has a list value, or there are only returns",
}
"""What each reason means, for people."""

_IN_WORDS = {reason.value: told.partition(";")[0] for reason, told in WHY_NO_VALUE.items()}
_NAMED = re.compile(rf"\b(no value|no baseline): ({'|'.join(NoValue)})\b")


def in_words(reason: str) -> str:
    """Why there is no value, for people, with the name that programs know it by: `no deal has been won or lost yet
    (no_closed_deals)`. Whatever is no such name stays as it is."""
    return f"{_IN_WORDS[reason]} ({reason})" if reason in _IN_WORDS else reason


def worded(told: str) -> str:
    """A sentence of a log or of evidence in which the name alone of such a reason stands, with what it means."""
    return _NAMED.sub(lambda found: f"{found[1]}: {in_words(found[2])}", told)


class Part(Frozen):
    """A number that stands beside a value.

    `of_group` describes all partners asked for together and comes alike in every partner's row, so that adding it up
    would be wrong. `derived` is worked out for the group only, and stands in no partner's row.
    """

    name: str
    unit: str
    meaning: str
    of_group: bool = False
    derived: bool = False


class Defaults(Frozen):
    """What people usually agree about a metric: settings to begin with, which a plan replaces.

    Limits are written as plans write them. `pauses_unless` and `warns_unless` are a guardrail's, `promotes_when` an
    outcome's. `stops_unless` lies beyond both. `looks_in_a_row` is how many readings in a row people wait for where a
    number is noisy; the framework itself acts at the first. `closed_months` is how many whole calendar months must lie
    in what is read, because books are closed by the month. `least_spread` is about half of the largest move from one
    period to the next that was seen where nothing was wrong, in points, of an amount in percent of itself: by less a
    value does not lie beyond what is usual, since windows that overlap hardly differ.
    """

    promotes_when: tuple[str, ...] = ()
    pauses_unless: tuple[str, ...] = ()
    warns_unless: tuple[str, ...] = ()
    stops_unless: tuple[str, ...] = ()
    partners: int
    facts: int
    closed_months: int = 0
    window: str = "90d"
    freshness: str
    looks_in_a_row: int = 1
    variation: str
    least_spread: float
    note: str = ""

    @property
    def thresholds(self) -> tuple[str, ...]:
        """What a plan that takes the defaults agrees on."""
        return self.promotes_when or self.pauses_unless


class MetricSpec(Frozen):
    """One catalogue entry. `definition_version` changes when the SQL's meaning changes.

    `fact` is what one of `n_facts` is, `belongs_by` what brings a fact into a window, `reads` the tables of facts.
    `framework` says that every plan answers for it. `counts_misses`: the numerator counts what went well out of the
    denominator, so that the rest is what went wrong. `grows_with_window`: counted rather than rated, so that a longer
    window gives a larger number. `block`: sales, deals and leads happen on a day, and a window is the sum of its days;
    courses, checks and balances are what they are at a moment, whatever the window; who leaves is counted day by day,
    out of all who were partners.

    `facts_of` is the metric of the framework that reads the same facts: they are counted and checked by its lines.
    `checks_agreed`: plans named it before its facts were checked, so that this is done where a plan gives bounds.
    `met_by` is what meets a deadline, of a metric whose facts are decided by one at the latest. `said_as` is a regular
    expression of the words by which people name it in a sentence, in lower case.
    """

    name: MetricName
    title: str
    said_as: str
    unit: str
    direction: Direction
    use: MetricUse
    owner_role: str
    formula: str
    fact: str
    belongs_by: str
    reads: tuple[str, ...]
    grouping: Grouping = Grouping.RATIO_OF_SUMS
    scale: Scale
    parts: tuple[Part, ...]
    no_value: tuple[NoValue, ...]
    defaults: Defaults
    framework: bool = True
    counts_misses: bool = False
    grows_with_window: bool = False
    block: Block = Block.FLOW
    facts_of: MetricName | None = None
    checks_agreed: bool = False
    met_by: str | None = None
    definition_version: int = 1

    @property
    def written_down(self) -> str:
        """What is written down of a lead that meets its deadline, without its article."""
        return (self.met_by or "a contact").split()[-1]


def part(name: str, unit: str, meaning: str, *, of_group: bool = False, derived: bool = False) -> Part:
    """A part on one line."""
    return Part(name=name, unit=unit, meaning=meaning, of_group=of_group, derived=derived)


MONEY, COUNT, PERCENT, DAYS, HOURS, WEIGHT, FLAG = "money", "count", "%", "days", "hours", "weight", "0 or 1"
