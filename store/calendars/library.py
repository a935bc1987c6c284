"""Public holidays from the `holidays` library: which places it knows, and the days of a year there."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib import metadata
from typing import Final

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200
"""Beyond these nobody has deadlines, and the library has next to no holidays."""


def version() -> str:
    """The library's version, kept with every year that is taken in from it."""
    return metadata.version("holidays")


def known_region(region: str) -> str:
    """The region itself: a country such as `DE`, or a part of one such as `DE-BY`.

    Raises:
        ValueError: the library has no holidays for it.
    """
    country, _, part = region.partition("-")
    parts = _regions().get(country)
    if parts is None:
        raise ValueError(f"found {region[:40]!r}; no such country is known; allowed: a code such as DE, US or DE-BY")
    if "-" in region and part not in parts:
        listed = ", ".join(f"{country}-{one}" for one in parts) or "it has no parts"
        raise ValueError(f"found {region[:40]!r}; {country} has no such part; allowed: {country}, {listed}")
    return region


def days_of(region: str, year: int) -> dict[date, str]:
    """The public holidays of a year with their names, the days they are observed on included."""
    import holidays

    country, _, part = known_region(region).partition("-")
    # Named the same on every machine, whatever language it speaks.
    found = holidays.country_holidays(country, subdiv=part or None, years=year, expand=False, language="en_US")
    return dict(found.items())


@lru_cache(maxsize=1)
def _regions() -> dict[str, list[str]]:
    """Importing the library takes as long as a small import of facts does: only who needs it pays for it."""
    import holidays

    return holidays.list_supported_countries()
