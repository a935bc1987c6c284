"""What a page says in a reader's language: the words of records, and the texts that only pages have."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

from record import words as of_records
from record.words import LANGUAGES, N_

__all__ = ["COOKIE", "LANGUAGES", "N_", "Words", "language_of", "words_in"]

DOMAIN = "pages"
LOCALE = Path(__file__).parent / "locale"
COOKIE = "language"


class Words(of_records.Words):
    """One language, with the texts of the pages."""

    def __init__(self, language: str) -> None:
        super().__init__(language)
        texts = gettext.translation(DOMAIN, LOCALE, [language], fallback=language == "en")
        texts.add_fallback(self.translations)
        self.translations = texts


@cache
def words_in(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    return Words(language)


def language_of(chosen: str | None, accepted: str) -> str:
    """The language to show: the one that was chosen, else the first one that the browser prefers and that is here.

    Args:
        accepted: an Accept-Language header.
    """
    if chosen in LANGUAGES:
        return chosen
    wanted: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, rest = part.strip().partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            rank = float(quality) if quality else 1.0
        except ValueError:
            rank = 0.0
        language = tag.split("-")[0].lower()
        if rank > 0 and language in LANGUAGES:
            wanted.append((rank, language))
    return max(wanted, key=lambda one: one[0])[1] if wanted else next(iter(LANGUAGES))
