"""The registry of search attributes. They are stored in plain text: no names, no personal data."""

from __future__ import annotations

from typing import Any

from temporalio.common import SearchAttributeKey

PLAN = SearchAttributeKey.for_keyword("RolloutPlanId")
PHASE = SearchAttributeKey.for_keyword("RolloutPhase")
STATUS = SearchAttributeKey.for_keyword("RolloutStatus")
WAVE = SearchAttributeKey.for_int("RolloutWave")

SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (PLAN, PHASE, STATUS, WAVE)
"""Every attribute this product uses; the worker registers them at start."""
