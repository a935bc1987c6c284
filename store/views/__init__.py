"""What pages and letters show of the store: lists, logs, series and partners, each read in a statement or two."""

from __future__ import annotations

from store.views.log import LogLine, LogPage, entry_of, read_log_page
from store.views.numbers import Numbers, read_numbers
from store.views.partners import PartnerLine, Partners, attributes, read_partners, regions, tiers
from store.views.pauses import read_pauses
from store.views.rollouts import (
    CohortScope,
    Line,
    Lines,
    Whole,
    list_lines,
    read_line,
    read_lines,
    read_outlines,
    read_scope,
    read_whole,
)
from store.views.series import ChangePoint, Point, read_changes, read_series

__all__ = [
    "ChangePoint",
    "CohortScope",
    "Line",
    "Lines",
    "LogLine",
    "LogPage",
    "Numbers",
    "PartnerLine",
    "Partners",
    "Point",
    "Whole",
    "attributes",
    "entry_of",
    "list_lines",
    "read_changes",
    "read_line",
    "read_lines",
    "read_log_page",
    "read_numbers",
    "read_outlines",
    "read_partners",
    "read_pauses",
    "read_scope",
    "read_series",
    "read_whole",
    "regions",
    "tiers",
]
