"""The partners of a synthetic world: tiers, regions and types in fixed shares, a few joining and leaving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from store.world_spec import Slump, WorldPartner, WorldSpec

# Shares in percent. The tier also says how large a partner is.
_TIERS: Final = (("platinum", 10), ("gold", 20), ("silver", 35), ("bronze", 35))
_VOLUME: Final = {"platinum": 1.6, "gold": 1.25, "silver": 1.0, "bronze": 0.85}
_REGIONS: Final = (("emea", 40), ("amer", 35), ("apac", 25))
_TYPES: Final = (("reseller", 45), ("var", 20), ("msp", 20), ("si", 10), ("distributor", 5))
_COUNTRIES: Final = {
    "emea": (("DE", "Europe/Berlin", "EUR"), ("FR", "Europe/Paris", "EUR"), ("GB", "Europe/London", "GBP")),
    "amer": (("US", "America/New_York", "USD"), ("US", "America/Chicago", "USD"), ("CA", "America/Toronto", "CAD")),
    "apac": (("JP", "Asia/Tokyo", "JPY"), ("AU", "Australia/Sydney", "AUD"), ("SG", "Asia/Singapore", "USD")),
}
COUNTRY_OF: Final = {zone: country for places in _COUNTRIES.values() for country, zone, _ in places}
"""By time zone, each of which has a calendar of its own."""
HOME: Final = "USD"
"""The currency that its money has rates into."""

USD_PER_UNIT: Final = {"USD": 1.0, "EUR": 1.10, "GBP": 1.27, "CAD": 0.74, "AUD": 0.66, "JPY": 0.0068}
_FIRST: Final = (
    *("Alder", "Amber", "Baltic", "Beacon", "Birch", "Cascade", "Cedar", "Cobalt", "Copper", "Coral", "Delta"),
    *("Ember", "Falcon", "Fjord", "Granite", "Harbor", "Hazel", "Indigo", "Juniper", "Kestrel", "Larch", "Lumen"),
    *("Maple", "Meridian", "Mistral", "Nimbus", "Northwind", "Onyx", "Osprey", "Pinnacle", "Quartz", "Ridge"),
    *("Saffron", "Sierra", "Solstice", "Summit", "Tamarack", "Tundra", "Vertex", "Willow", "Zephyr"),
)
_LAST: Final = ("Networks", "Systems", "Partners", "Digital", "Solutions", "Technologies", "Consulting", "Services")
_JOINING, _LEAVING = 0.03, 0.02


def roster(spec: WorldSpec) -> tuple[WorldPartner, ...]:
    """Every partner of the world, by id `p-001` onwards. Needs no database, so a plan can name partners early."""
    return tuple(each_partner(spec))


def each_partner(spec: WorldSpec) -> Iterator[WorldPartner]:
    """The same, one after the other."""
    return (_partner(spec, number) for number in range(1, spec.partners + 1))


def slumping(slump: Slump, partners: Iterable[WorldPartner]) -> frozenset[str]:
    """The ids of the partners a slump hits; a selector takes them in order of id, as it does in a plan.

    Raises:
        ValueError: it names a partner the world does not have, or selects nobody.
    """
    if slump.select is None:
        unknown = set(slump.partners).difference(partner.partner_id for partner in partners)
        if unknown:
            raise ValueError(f"the world has no partner {', '.join(sorted(unknown))}")
        return frozenset(slump.partners)
    select = slump.select
    chosen = sorted(
        partner.partner_id
        for partner in partners
        if partner.tier in (select.tier or (partner.tier,))
        and partner.region in (select.region or (partner.region,))
        and partner.type in (select.type or (partner.type,))
    )
    if not chosen:
        raise ValueError("the slump selects no partner of this world")
    return frozenset(chosen[: select.limit])


def _partner(spec: WorldSpec, number: int) -> WorldPartner:
    chance = spec.chance("partner", number)
    tier = _share(_TIERS, number * 61)
    region = _share(_REGIONS, number * 37 + 37)
    country, time_zone, currency = chance.choice(_COUNTRIES[region])
    active_from, active_to = spec.start - timedelta(days=chance.randint(200, 3000)), None
    fate = chance.random()
    if fate < _JOINING:
        active_from = _within(spec, chance.random())
    elif fate < _JOINING + _LEAVING:
        active_to = _within(spec, chance.random())
    return WorldPartner(
        partner_id=f"p-{number:03}",
        name=f"{_FIRST[number % len(_FIRST)]} {_LAST[number % len(_LAST)]}",
        type=_share(_TYPES, number * 83 + 71),
        tier=tier,
        region=region,
        country=country,
        time_zone=time_zone,
        currency=currency,
        usd_per_unit=USD_PER_UNIT[currency],
        volume=_VOLUME[tier] * chance.uniform(0.9, 1.1),
        active_from=active_from,
        active_to=active_to,
    )


def _share(shares: tuple[tuple[str, int], ...], place: int) -> str:
    """The value at this place of 100. Strides without a common factor with 100 meet every value in its share."""
    place %= 100
    for value, share in shares:
        if place < share:
            return value
        place -= share
    return shares[-1][0]


def _within(spec: WorldSpec, part: float) -> date:
    return spec.start + timedelta(days=1 + int(part * ((spec.end - spec.start).days - 2)))
