"""What a record says in a reader's language: texts by gettext, and numbers, days and lengths of time as they are
written there."""

from __future__ import annotations

import gettext
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

DOMAIN = "records"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = {"en": "English", "ja": "日本語"}
"""The first one is taken where a reader's is not among them."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def N_(message: str) -> str:  # noqa: N802 - the name by which tools find what is to be translated
    """A text that is translated where it is shown."""
    return message


class Words:
    """One language. All moments are shown in UTC, and say so."""

    def __init__(self, language: str) -> None:
        self.language = language
        known = language == "en"
        self.translations = gettext.translation(DOMAIN, LOCALE, [language], fallback=known)

    def __call__(self, message: str, **values: object) -> str:
        """A text with its values put in."""
        told = self.translations.gettext(message)
        return told % values if values else told

    def many(self, one: str, several: str, number: int, **values: object) -> str:
        """A text that depends on a number, `%(num)s` in it."""
        told = self.translations.ngettext(one, several, number)
        return told % {"num": self.count(number), **values}

    def count(self, number: int) -> str:
        """A whole number."""
        return f"{number:,}"

    def number(self, value: float | None, digits: int | None = None, sign: bool = False) -> str:
        """A number with as many digits as it is worth reading; a dash for none."""
        if value is None:
            return "\N{EN DASH}"
        if digits is None:
            digits = 0 if abs(value) >= 1000 else 1
        # What rounds to nothing is nothing, and has no sign.
        rounded = round(value, digits) + 0.0
        return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "\N{MINUS SIGN}")

    def day(self, at: datetime) -> str:
        """A day, in UTC."""
        at = at.astimezone(UTC)
        if self.language == "ja":
            return f"{at.year}年{at.month}月{at.day}日"
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"

    def short_day(self, at: datetime) -> str:
        """A day without its year, for axes."""
        at = at.astimezone(UTC)
        return f"{at.month}/{at.day}" if self.language == "ja" else f"{at.day} {_MONTHS[at.month - 1]}"

    def moment(self, at: datetime) -> str:
        """A moment to the minute, with its zone."""
        return f"{self.day(at)} {at.astimezone(UTC):%H:%M} UTC"

    def span(self, length: timedelta) -> str:
        """A length of time in its two largest units."""
        minutes = max(0, int(length.total_seconds() // 60))
        days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
        told = []
        if days:
            told.append(self.many("%(num)s day", "%(num)s days", days))
        if hours and days < 14:
            told.append(self.many("%(num)s hour", "%(num)s hours", hours))
        if not days and (minutes or not told):
            told.append(self.many("%(num)s minute", "%(num)s minutes", minutes))
        return ("" if self.language == "ja" else " ").join(told)

    def listed(self, items: Sequence[str]) -> str:
        """Several things in a row."""
        return ("、" if self.language == "ja" else ", ").join(items)


@cache
def words_in(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    return Words(language)
