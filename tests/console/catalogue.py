"""Brings the translations up to date with the texts of records and pages: `python -m tests.console.catalogue`.

It needs Babel, which is there for development; pages read the compiled files with the standard library.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from models.metric import CATALOGUE

HERE = Path(__file__).parents[2]
RECORDS, PAGES = HERE / "record", HERE / "console" / "pages"
DOMAINS = {RECORDS: "records", PAGES: "pages"}
"""The texts of records come first: pages say them, too, and have no translation of their own for them."""

KEYWORDS = {
    "_": None,
    "N_": None,
    "words": None,
    "gettext": None,
    "ngettext": (1, 2),
    "many": (1, 2),
}


def texts(place: Path) -> Catalog:
    """Every text of the records, and the titles of the metrics, which stand in their catalogue; or every further text
    of the pages."""
    found = Catalog(locale="ja", fuzzy=False)
    if place == RECORDS:
        for one in CATALOGUE.values():
            found.add(one.title)
    known = texts(RECORDS) if place == PAGES else Catalog()
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    for _, _, message, _, _ in extract_from_dir(place, methods, {}, KEYWORDS):
        if known.get(message if isinstance(message, str) else message[0]) is None:
            found.add(message)
    return found


def translations(place: Path) -> Catalog:
    """What is translated."""
    with compiled(place).with_suffix(".po").open("rb") as file:
        return read_po(file, locale="ja")


def compiled(place: Path) -> Path:
    """What is read when a text is shown."""
    return place / "locale" / "ja" / "LC_MESSAGES" / f"{DOMAINS[place]}.mo"


def bring_up_to_date() -> None:
    """Add texts that are new, without a translation, take away those that are gone, and compile."""
    for place in DOMAINS:
        known, found = translations(place), texts(place)
        for message in found:
            if message.id:
                kept = known.get(message.id)
                message.string = kept.string if kept is not None else message.string
        found.header_comment = f"# What {DOMAINS[place]} say, in Japanese."
        found.project, found.version = "Partner Rollouts", ""
        with compiled(place).with_suffix(".po").open("wb") as file:
            write_po(file, found, omit_header=False, sort_output=True, no_location=True, width=0)
        with compiled(place).open("wb") as file:
            write_mo(file, translations(place))


if __name__ == "__main__":
    bring_up_to_date()
