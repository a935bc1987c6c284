"""What a page was asked for in its address: filters and the number of the page, bounded and never an error."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import Request

PER_PAGE = 25
MOST_PAGES = 10_000


class Paging(NamedTuple):
    """Which page of a list is shown. `total` is None where nobody counted."""

    page: int
    shown: int
    total: int | None
    more: bool

    @property
    def first(self) -> int:
        return (self.page - 1) * PER_PAGE + (1 if self.shown else 0)

    @property
    def last(self) -> int:
        return (self.page - 1) * PER_PAGE + self.shown


def word(request: Request, name: str) -> str | None:
    """A filter, None where it is not set."""
    found = request.query_params.get(name, "").replace("\x00", "").strip()[:100]
    return found or None


def page_number(request: Request) -> int:
    """Which page, the first where it is not a number."""
    found = request.query_params.get("page", "1")
    return min(max(1, int(found)), MOST_PAGES) if found.isascii() and found.isdigit() and len(found) < 8 else 1


def offset_of(page: int) -> int:
    """How many entries come before a page."""
    return (page - 1) * PER_PAGE
