"""A look waits for what a clock that is ahead has seen already, and never for longer than that clock is ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from activities.agenda import EVERYTHING, Agenda, Metrics
from activities.waiting import CLOCKS_DIFFER, Waiting
from models.metric import MetricName
from models.work import RolloutKey

NOW = datetime(2026, 2, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONE = RolloutKey(rollout_id="one", chain_id="c")
SLA = frozenset({MetricName.LEAD_FOLLOW_UP_SLA})
MARGIN = frozenset({MetricName.CONTRIBUTION_MARGIN})


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


@pytest.fixture
def waiting(agenda: Agenda) -> Waiting:
    return Waiting(agenda)


def comes(waiting: Waiting, agenda: Agenda, at: datetime, more: Metrics = SLA) -> dict[RolloutKey, Metrics]:
    """What is looked at, at a moment at which a fact has come."""
    due = {item.key: item.metrics for item in agenda.due(at)}
    return waiting.ripe(due | {ONE: more}, at)


def test_what_everybody_knows_is_looked_at_at_once(waiting: Waiting) -> None:
    waiting.note(ONE, NOW - SECOND, NOW)
    waiting.note(ONE, NOW, NOW)
    assert waiting.ripe({ONE: SLA}, NOW) == {ONE: SLA}


def test_a_look_waits_for_what_is_not_known_yet_and_takes_along_what_came_meanwhile(
    waiting: Waiting, agenda: Agenda
) -> None:
    waiting.note(ONE, NOW + 3 * SECOND, NOW)
    assert comes(waiting, agenda, NOW) == {}
    assert comes(waiting, agenda, NOW + SECOND, MARGIN) == {}
    assert agenda.next_at == NOW + 3 * SECOND
    [item] = agenda.due(NOW + 3 * SECOND)
    assert waiting.ripe({item.key: item.metrics}, NOW + 3 * SECOND) == {ONE: SLA | MARGIN}


def test_a_look_at_everything_stays_one(waiting: Waiting, agenda: Agenda) -> None:
    waiting.note(ONE, NOW + 3 * SECOND, NOW)
    assert comes(waiting, agenda, NOW, EVERYTHING) == {}
    assert comes(waiting, agenda, NOW + 3 * SECOND) == {ONE: EVERYTHING}


def test_facts_that_keep_coming_put_nothing_off_for_longer_than_their_clock_is_ahead(
    waiting: Waiting, agenda: Agenda
) -> None:
    """Ten times a second, from a clock that is three seconds ahead: within each three seconds there is a look."""
    looks = []
    for tenth in range(200):
        now = NOW + tenth * SECOND / 10
        waiting.note(ONE, now + 3 * SECOND, now)
        if comes(waiting, agenda, now):
            looks.append(now)
    assert looks[0] == NOW + 3 * SECOND
    assert all(after - before <= 3.1 * SECOND for before, after in pairwise(looks))
    assert looks[-1] > NOW + 16 * SECOND


def test_what_was_written_for_later_on_purpose_is_not_waited_for(waiting: Waiting) -> None:
    waiting.note(ONE, NOW + CLOCKS_DIFFER, NOW)
    assert waiting.ripe({ONE: SLA}, NOW) == {ONE: SLA}


def test_what_is_forgotten_waits_no_more(waiting: Waiting) -> None:
    waiting.note(ONE, NOW + 3 * SECOND, NOW)
    waiting.ripe({ONE: MARGIN}, NOW)
    waiting.forget(ONE)
    assert waiting.ripe({ONE: SLA}, NOW) == {ONE: SLA}
