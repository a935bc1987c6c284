"""Small made-up worlds to test plans on, and the plan that is tested: two metrics, cohorts by tier and region."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from cli.backtest.command import report
from cli.backtest.running import Span, run_over
from models.backtest import Backtest
from models.plan import RolloutPlan, Selector
from models.script import Script
from store.world_spec import Slump
from tests.plans import make_plan

WORLD: dict[str, Any] = {"seed": 7, "start": date(2025, 1, 1), "months": 8, "partners": 90}
GOLD_IN_EMEA = Selector(tier=("gold", "silver"), region=("emea",), limit=10)
SLUMP = Slump(
    select=GOLD_IN_EMEA, start=datetime(2025, 6, 2, tzinfo=UTC), end=datetime(2025, 7, 7, tzinfo=UTC), depth=55
)
"""The pilot's partners stop following up leads in time, for five weeks."""

WITHOUT_LEADS = (date(2025, 5, 5), date(2025, 6, 5))
"""The days without any lead in the other world."""


def plan(**changes: Any) -> RolloutPlan:
    """A plan whose cohorts the worlds have."""
    choose = {"tier": ["gold", "silver"], "limit": 10}
    cohorts = {
        "pilot": {"name": "pilot", "select": {**choose, "region": ["emea"]}},
        "control": {"name": "control", "select": {**choose, "region": ["amer"]}},
        "waves": [{"name": "wave-one", "select": {"tier": ["gold", "silver"], "region": ["apac"]}, "bake": "7d"}],
    }
    return make_plan(**{"id": "tried-out", "cohorts": cohorts, **changes})


def span(begins: str, days: int) -> Span:
    """So many days from a day on."""
    since = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    return Span(since, since + timedelta(days=days))


async def backtest(dsn: str, tried: RolloutPlan, script: Script, over: Span) -> Backtest:
    """Run it, and what it amounts to."""
    ran = await run_over(dsn, tried, script, over, lambda done, total: None, print)
    return report(ran, over, (), (), 0.0)
