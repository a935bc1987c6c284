"""A registered rollout on a database of its own, with or without facts."""

from __future__ import annotations

from datetime import date

import pytest

from tests.activities.setting import Pool, Setting
from tests.facts import seed_facts


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    """A registered rollout; its partners exist and have facts from December to the end of March."""
    await seed_facts(pool, date(2025, 12, 1), date(2026, 4, 1))
    return await Setting(pool).register()
