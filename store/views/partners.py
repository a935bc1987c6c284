"""Partners by tier, region and cohort, page by page."""

from __future__ import annotations

from models.base import Frozen
from store.pool import Connection
from store.statements import statement
from store.views.rollouts import escaped

_PARTNERS = statement("views/partners")


class PartnerLine(Frozen):
    """A partner, with the cohort that the rollout asked for put it in."""

    partner_id: str
    name: str
    tier: str | None
    region: str | None
    cohort: str | None


class Partners(Frozen):
    """A page of partners, and how many there are in all."""

    partners: tuple[PartnerLine, ...]
    total: int


async def read_partners(
    conn: Connection,
    *,
    tier: str | None = None,
    region: str | None = None,
    rollout: str | None = None,
    cohort: str | None = None,
    words: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Partners:
    """Partners that fulfil all of what is given, by name; with a rollout those of its cohorts."""
    rows = await conn.fetch(_PARTNERS, tier, region, rollout, cohort, escaped(words), limit, offset)
    found = tuple(PartnerLine(**{name: row[name] for name in PartnerLine.model_fields}) for row in rows)
    return Partners(partners=found, total=rows[0]["total"] if rows else 0)


async def tiers(conn: Connection) -> tuple[str, ...]:
    """The tiers that partners have."""
    rows = await conn.fetch("select distinct tier from partner where tier is not null order by 1")
    return tuple(row["tier"] for row in rows)


async def regions(conn: Connection) -> tuple[str, ...]:
    """The regions that partners are in."""
    rows = await conn.fetch("select distinct region from partner where region is not null order by 1")
    return tuple(row["region"] for row in rows)


async def attributes(conn: Connection) -> dict[str, tuple[str, ...]]:
    """What partners can be selected by, each with all that there is: tier, region and type."""
    types = await conn.fetch("select distinct type from partner order by 1")
    return {"tier": await tiers(conn), "region": await regions(conn), "type": tuple(row["type"] for row in types)}
