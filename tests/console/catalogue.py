"""Brings the translations up to date with the texts of the pages: `python -m tests.console.catalogue`.

It needs Babel, which is there for development; pages read the compiled files with the standard library.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from models.metric import CATALOGUE

PAGES = Path(__file__).parents[2] / "console" / "pages"
RECORDS = PAGES.parent / "record"
MO = PAGES / "locale" / "ja" / "LC_MESSAGES" / "pages.mo"
PO = MO.with_suffix(".po")
KEYWORDS = {
    "_": None,
    "N_": None,
    "words": None,
    "gettext": None,
    "ngettext": (1, 2),
    "many": (1, 2),
}


def texts() -> Catalog:
    """Every text of the pages and of records, and the titles of the metrics, which stand in their catalogue."""
    found = Catalog(locale="ja", fuzzy=False)
    for one in CATALOGUE.values():
        found.add(one.title)
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    for place in (PAGES, RECORDS):
        for _, _, message, _, _ in extract_from_dir(place, methods, {}, KEYWORDS):
            found.add(message)
    return found


def translations() -> Catalog:
    """What is translated."""
    with PO.open("rb") as file:
        return read_po(file, locale="ja")


def bring_up_to_date() -> None:
    """Add texts that are new, without a translation, take away those that are gone, and compile."""
    known, found = translations(), texts()
    for message in found:
        if message.id:
            kept = known.get(message.id)
            message.string = kept.string if kept is not None else message.string
    found.header_comment = "# What the console's pages say, in Japanese."
    found.project, found.version = "Partner Rollouts", ""
    with PO.open("wb") as file:
        write_po(file, found, omit_header=False, sort_output=True, no_location=True, width=0)
    with MO.open("wb") as file:
        write_mo(file, translations())


if __name__ == "__main__":
    bring_up_to_date()
