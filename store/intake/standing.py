"""Where each source stands: how far its facts reach, how many there are, and whether it is late.

A source is late where its facts reach no further than the freshness that is usual for the metric they feed. Kinds in
which nothing happens, such as partners, are never late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from models.base import Duration, Frozen, Instant, parse_duration
from models.metric import CATALOGUE, MetricName
from models.quality import Severity
from store.events.types import DATA
from store.intake.kinds import KINDS, FactKind, KindSpec
from store.intake.reach import events_of, latest, reached
from store.pool import Connection

_STANDING: Final = (Path(__file__).parent / "standing.sql").read_text(encoding="utf-8")
_SENDERS: Final = (Path(__file__).parent / "standing_events.sql").read_text(encoding="utf-8")

FEEDS: Final = MappingProxyType(
    {
        FactKind.TRANSACTIONS: MetricName.CONTRIBUTION_MARGIN,
        FactKind.COSTS: MetricName.CONTRIBUTION_MARGIN,
        FactKind.REBATE_RUNS: MetricName.CONTRIBUTION_MARGIN,
        FactKind.FX_RATES: MetricName.CONTRIBUTION_MARGIN,
        FactKind.OPPORTUNITIES: MetricName.PIPELINE_VELOCITY,
        FactKind.LEADS: MetricName.LEAD_FOLLOW_UP_SLA,
        FactKind.MDF_REQUESTS: MetricName.MDF_SPEND,
        FactKind.MDF_CLAIMS: MetricName.MDF_SPEND,
        FactKind.ENABLEMENT: MetricName.ENABLEMENT_COMPLETION,
        FactKind.COMPLIANCE_RESULTS: MetricName.COMPLIANCE_SCORE,
    }
)
"""The metric whose usual freshness bounds a kind. Kinds that come only now and then have no bound."""

_MONTHLY: Final = frozenset({FactKind.FX_RATES, FactKind.REBATE_RUNS})
_MONTH: Final = timedelta(days=31)
"""What comes once a month is as old as that just before the next one comes."""

_SENT: Final = frozenset({kind for kind, _ in DATA.values()} | {FactKind.OPPORTUNITY_REOPENINGS})
"""What events bring; a deal that is opened again leaves the close that was undone."""

_COUNTED: Final = frozenset(
    {
        FactKind.LEADS,
        FactKind.TRANSACTIONS,
        FactKind.MDF_CLAIMS,
        FactKind.ENABLEMENT,
        FactKind.COMPLIANCE_RESULTS,
    }
)
"""Of these every fact is counted by its day, whatever brought it. Of the others that events bring, none is or not all:
of costs those of products, of deals those that are closed."""


class Standing(Frozen):
    """One kind of facts of one source.

    `through`: its latest event that is known by now; None: it has none. `rejected`, `taken_at` and `file_name` are of
    the last import that was taken; `refused_why` is set when a later one was refused. `event_at`: when the source last
    sent an event, of whatever kind; None for a kind that no event brings.
    """

    source: str
    kind: FactKind
    through: Instant | None
    lag: Duration | None
    bound: Duration | None
    severity: Severity
    facts: int
    imports: int
    rejected: int
    taken_at: Instant | None
    file_name: str | None
    refused_why: str | None
    event_at: Instant | None

    @property
    def late(self) -> bool:
        """Whether its facts are older than is usual; without any, where there should be some, it is late too."""
        return self.bound is not None and (self.lag is None or self.lag > self.bound)


async def read_standing(conn: Connection, now: datetime, bound: timedelta | None = None) -> tuple[Standing, ...]:
    """Every source and kind that ever brought something, late ones first.

    Args:
        bound: for all kinds in which something happens, instead of what is usual for each.
    """
    tables = {spec.table: kind for kind, spec in KINDS.items()}
    rows = await conn.fetch(_STANDING, now, {kind.value: spec.table for kind, spec in KINDS.items()})
    stood = {
        (row["source"], FactKind(row["kind"]) if row["kind"] else tables[row["facts_of"]]): dict(row) for row in rows
    }
    senders = {row["source"]: row["event_at"] for row in await conn.fetch(_SENDERS)}
    for kind in sorted(_SENT - _COUNTED if senders else ()):
        for row in await conn.fetch(_COUNT[kind], now, list(senders)):
            ledger = stood.get((row["source"], kind), _NO_IMPORT)
            through = latest((row["through_at"], ledger["through_at"]))
            stood[row["source"], kind] = {**ledger, "facts": row["facts"], "through_at": through}
    found = [
        _standing(source, kind, row | {"event_at": senders.get(source) if kind in _SENT else None}, now, bound)
        for (source, kind), row in stood.items()
    ]
    order = tuple(Severity)
    return tuple(sorted(found, key=lambda one: (-order.index(one.severity), one.source, one.kind)))


def _counting(spec: KindSpec) -> str:
    """The facts themselves, where sources send events: no ledger has how many of them began with one."""
    return (
        f"select source_system as source, count(*) as facts, {reached(spec)} as through_at from {spec.table} "  # noqa: S608
        "where source_system = any($2) and $1::timestamptz is not null group by 1"
    )


_COUNT: Final = MappingProxyType({kind: _counting(KINDS[kind]) for kind in _SENT - _COUNTED})
_NO_IMPORT: Final[Mapping[str, Any]] = MappingProxyType(
    {"through_at": None, "imports": 0, "taken_at": None, "rejected": 0, "file_name": None, "refused_why": None}
)


def bound_of(kind: FactKind) -> timedelta | None:
    """How old its latest event may be, unless told otherwise."""
    if kind not in FEEDS:
        return None
    usual: timedelta = parse_duration(CATALOGUE[FEEDS[kind]].defaults.freshness)
    return usual + (_MONTH if kind in _MONTHLY else timedelta(0))


def _standing(source: str, kind: FactKind, row: Mapping[str, Any], now: datetime, told: timedelta | None) -> Standing:
    through: datetime | None = row["through_at"]
    bound = (told or bound_of(kind)) if events_of(KINDS[kind]) and kind in FEEDS else None
    lag = max(now - through, timedelta(0)) if through is not None else None
    return Standing(
        source=source,
        kind=kind,
        through=through,
        lag=lag,
        bound=bound,
        severity=_severity(lag, bound, odd=bool(row["rejected"] or row["refused_why"])),
        facts=row["facts"],
        imports=row["imports"],
        rejected=row["rejected"],
        taken_at=row["taken_at"],
        file_name=row["file_name"],
        # Older ledgers have it as it was told, with all its lines.
        refused_why=None if row["refused_why"] is None else " ".join(row["refused_why"].split()),
        event_at=row["event_at"],
    )


def _severity(lag: timedelta | None, bound: timedelta | None, *, odd: bool) -> Severity:
    """Red beyond the bound, amber from half of it on, or when something of the last import was not taken."""
    if bound is not None and (lag is None or lag > bound):
        return Severity.RED
    if odd or (bound is not None and lag is not None and 2 * lag > bound):
        return Severity.AMBER
    return Severity.GREEN
