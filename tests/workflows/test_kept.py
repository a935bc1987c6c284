"""A rollout that waits is kept packed: small, and to the last detail what it was."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.evidence import Verdict
from models.metric import MetricName
from models.plan import RolloutPlan
from models.rollout import RolloutState
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import Simulator
from workflows.kept import Kept


def there_and_back(state: RolloutState) -> RolloutState:
    kept = Kept(state)
    kept.pack()
    kept.pack()
    return kept.state


def test_what_is_unpacked_is_what_was_packed_in_every_situation() -> None:
    rollout = Simulator(make_plan())
    assert there_and_back(rollout.state) == rollout.state
    rollout.to_pilot()
    assert there_and_back(rollout.state) == rollout.state
    rollout.verdicts = {MetricName.LEAD_FOLLOW_UP_SLA: Verdict.NOT_MET}
    rollout.report(changed=True)
    assert rollout.state.pause
    assert there_and_back(rollout.state) == rollout.state
    rollout.wait(timedelta(days=40), watched=False)
    assert rollout.state.holds
    assert there_and_back(rollout.state) == rollout.state


def test_the_next_state_takes_the_place_of_the_packed_one() -> None:
    rollout = Simulator(make_plan())
    kept = Kept(rollout.state)
    kept.pack()
    rollout.confirm_all()
    kept.state = rollout.state
    kept.pack()
    assert kept.state == rollout.state


def test_a_packed_state_takes_a_fraction_of_what_is_carried_on() -> None:
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    kept = Kept(rollout.state)
    kept.pack()
    packed = sum(sys.getsizeof(one) for one in vars(kept).values() if one is not None)
    assert packed < len(rollout.state.model_dump_json()) / 3


@pytest.mark.parametrize("context", [None, object(), {"kept": True}, "KEPT"])
def test_only_what_was_packed_a_moment_ago_is_not_held_to_the_rules_of_a_plan_again(context: Any) -> None:
    """Whoever starts a rollout is held to them, whatever else they say: `test_unwritable.py`, on a server."""
    broken = plan_data()
    broken["reviews"] = {**broken["reviews"], "roles": ["ghost"]}
    with pytest.raises(ValidationError, match="no owner holds the role ghost"):
        RolloutPlan.model_validate(broken, strict=False, context=context)
