"""A registered rollout on a database of its own, with or without facts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.activities.setting import Pool, Setting
from tests.facts import seed_facts


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    """A registered rollout; its partners exist and have facts from December to the end of March."""
    await seed_facts(pool, date(2025, 12, 1), date(2026, 4, 1))
    return await Setting(pool).register()


@pytest.fixture
async def facts(pool: Pool) -> Pool:
    """Two months of regular facts up to the last midnight."""
    today = datetime.now(UTC).date()
    await seed_facts(pool, today - timedelta(days=60), today)
    return pool
