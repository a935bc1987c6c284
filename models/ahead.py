"""A breach that can be seen coming, as people are told of it while there is time to act."""

from __future__ import annotations

from datetime import timedelta

from models.base import Duration, Frozen, Instant, many
from models.metric import CATALOGUE, MetricName


class Ahead(Frozen):
    """A metric of deadlines that is about to breach: the leads due `within` business time, the first at `first_due_at`
    (programme time), and what it falls to, in percent, if all of them are missed. `value` is how it stands, None where
    no lead is decided yet; `partners` are those with most of the leads."""

    cohort: str
    metric: MetricName
    value: float | None
    agreed: tuple[str, ...]
    leads: int
    within: Duration
    first_due_at: Instant
    falls_to: float
    partners: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, str, str]:
        """How the metric stands; which leads are due, and what becomes of it if they are missed; whose they are."""
        spec, limits, one = CATALOGUE[self.metric], " and ".join(self.agreed), self.leads == 1
        missing = spec.met_by or "a contact"
        stands = "no lead is decided yet" if self.value is None else f"it stands at {self.value:.1f} %"
        leads = many(self.leads, f"lead without {missing} is", f"leads without {missing} are")
        due = f"{'' if one else 'the first '}at {self.first_due_at:%Y-%m-%d %H:%M} UTC"
        # Of the lead it is said by the word for what meets its deadline: a contact contacts, and an answer answers.
        act = f"{spec.written_down}s {'it' if one else 'them'}"
        return (
            f"{spec.title} of {self.cohort}: {stands}, agreed {limits}.",
            f"{leads} due within {self.hours}, {due}. "
            f"If nobody {act} it falls to {self.falls_to:.1f} %, beyond what is agreed.",
            f"Partners: {', '.join(self.partners)}",
        )

    @property
    def hours(self) -> str:
        """How far ahead was looked."""
        hours = self.within / timedelta(hours=1)
        return f"{hours:.3g} business hour{'' if hours == 1 else 's'}"
