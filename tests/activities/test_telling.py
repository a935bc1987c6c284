"""Which looks call for a word: a change of what a rollout cares about, in either direction, and a quiet day's end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.telling import Sight, Word, next_mark, next_word
from models.command import DailyWord, ReportBreach, ReportEvidence
from models.evidence import Assessment, StopTrigger, Verdict
from models.metric import MetricName
from models.work import RolloutKey
from store.marks import WatchMark
from tests.plans import make_plan
from tests.workflows.simulator import Simulator

SLA = MetricName.LEAD_FOLLOW_UP_SLA
HOUR = timedelta(hours=1)
KEY = RolloutKey(rollout_id="test-plan", chain_id="chain")


@pytest.fixture
def calm() -> Assessment:
    """All is met, of enough partners."""
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    return rollout.assessment()


def told(assessment: Assessment, mark: WatchMark | None, after: timedelta) -> tuple[Word | None, WatchMark]:
    """The word that a look at everything calls for, and what is remembered of it."""
    begun = assessment.as_of
    seen = assessment.model_copy(update={"as_of": begun + after})
    sight = Sight(KEY, seen, {item.cohort for item in seen.items}, whole=True, since=begun)
    word = next_word(sight, mark)
    return word, next_mark(sight, mark, told=word is not None)


def but(assessment: Assessment, **changes: Any) -> Assessment:
    """The same with the SLA otherwise."""
    items = tuple(item.model_copy(update=changes) if item.metric is SLA else item for item in assessment.items)
    return assessment.model_copy(update={"items": items})


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_sample_reached": False},
        {"minimum_sample_reached": False, "verdict": Verdict.CANNOT_TELL},
        {"data_current": False, "verdict": Verdict.NO_EVIDENCE},
        {"verdict": Verdict.NOT_MET},
    ],
    ids=["not enough", "cannot tell", "no evidence", "breach"],
)
def test_a_change_is_told_once_and_so_is_its_end(calm: Assessment, changes: dict[str, Any]) -> None:
    _, mark = told(calm, None, 0 * HOUR)
    kinds = []
    for number, look in enumerate((calm, but(calm, **changes), but(calm, **changes), calm, calm), 1):
        word, mark = told(look, mark, number * HOUR)
        kinds.append(None if word is None else (type(word.command), getattr(word.command, "changed", True)))
    began = ReportBreach if changes.get("verdict") is Verdict.NOT_MET else ReportEvidence
    assert kinds == [None, (began, True), None, (ReportEvidence, True), None]


def test_a_stop_condition_that_is_fulfilled_is_told_though_no_verdict_changes(calm: Assessment) -> None:
    _, mark = told(calm, None, 0 * HOUR)
    trigger = StopTrigger(condition="too low", metric=SLA, cohort="pilot", value=10.0)
    word, mark = told(calm.model_copy(update={"stop": (trigger,)}), mark, HOUR)
    assert word is not None
    assert isinstance(word.command, ReportEvidence)
    assert word.command.reason.endswith("stop condition fulfilled: too low")
    again, _ = told(calm.model_copy(update={"stop": (trigger,)}), mark, 2 * HOUR)
    assert again is None


def test_a_request_is_the_same_again_for_the_same_look_and_for_no_other(calm: Assessment) -> None:
    """A breach that comes back after it was over is another request; so is one of another rollout, or of another chain
    of the same one. What a look before has told, in the very moment from which breaches count, is not told again."""
    slow, ids = but(calm, verdict=Verdict.NOT_MET), list[str | None]()
    mark: WatchMark | None = None
    for number, look in enumerate((slow, slow, calm, slow)):
        before = mark
        word, mark = told(look, before, number * HOUR)
        assert told(look, before, number * HOUR) == (word, mark)
        ids.append(_request(word))
    assert [one is None for one in ids] == [False, True, False, False]
    for key in (KEY.model_copy(update={name: "another"}) for name in ("rollout_id", "chain_id")):
        word = next_word(Sight(key, slow, {"pilot"}, whole=True, since=slow.as_of), None)
        ids.append(_request(word))
    assert len(set(ids)) == len(ids)


def _request(word: Word | None) -> str | None:
    if word is None:
        return None
    assert not isinstance(word.command, DailyWord)
    return word.command.request_id


def test_a_look_at_other_metrics_does_not_forget_a_breach_that_was_told(calm: Assessment) -> None:
    slow = but(calm, verdict=Verdict.NOT_MET)
    _, mark = told(slow, None, 0 * HOUR)
    others = calm.model_copy(update={"items": tuple(item for item in calm.items if item.metric is not SLA)})
    sight = Sight(KEY, others, {"pilot"}, whole=False, since=calm.as_of)
    assert next_word(sight, mark) is None
    assert told(slow, next_mark(sight, mark, told=False), HOUR)[0] is None


def test_a_look_at_some_metrics_sees_a_breach_of_them_end_and_begin_again(calm: Assessment) -> None:
    trigger = StopTrigger(condition="too low", metric=SLA, cohort="pilot", value=10.0)
    slow, kinds = but(calm, verdict=Verdict.NOT_MET).model_copy(update={"stop": (trigger,)}), []
    _, mark = told(slow, None, 0 * HOUR)
    for number, look in enumerate((slow, calm, calm, slow), 1):
        items = tuple(item for item in look.items if item.metric is SLA)
        seen = look.model_copy(update={"items": items, "as_of": calm.as_of + number * HOUR})
        sight = Sight(KEY, seen, {"pilot"}, whole=False, since=calm.as_of)
        word = next_word(sight, mark)
        kinds.append(word and type(word.command))
        mark = next_mark(sight, mark, told=word is not None)
    assert kinds == [None, ReportEvidence, None, ReportBreach]
    assert mark.evaluated_at == calm.as_of


def test_of_a_cohort_that_is_no_longer_watched_nothing_is_remembered(calm: Assessment) -> None:
    """Not even by a look at other metrics: were it watched again, a breach of it would be one that was told before."""
    moved = tuple(item.model_copy(update={"cohort": "wave-1"}) for item in calm.items)
    trigger = StopTrigger(condition="too low", metric=SLA, cohort="pilot", value=10.0)
    slow = but(calm, verdict=Verdict.NOT_MET)
    both = slow.model_copy(update={"items": (*slow.items, *moved), "stop": (trigger,)})
    _, mark = told(both, None, 0 * HOUR)
    assert mark.breached == (f"pilot/{SLA}",)
    others = calm.model_copy(update={"items": tuple(item for item in moved if item.metric is not SLA)})
    sight = Sight(KEY, others, {"wave-1"}, whole=False, since=calm.as_of)
    word, left = next_word(sight, mark), next_mark(sight, mark, told=True)
    assert word is not None
    assert isinstance(word.command, ReportEvidence)
    assert word.command.changed
    assert {name.split("/")[0] for name in left.picture} == {"wave-1"}
    assert left.breached == ()
    # What was not looked at of a cohort that is watched stays as it was seen.
    assert f"wave-1/{SLA}" in left.picture
    again = next_word(Sight(KEY, both, {"pilot", "wave-1"}, whole=False, since=calm.as_of), left)
    assert again is not None
    assert isinstance(again.command, ReportBreach)


def test_a_quiet_day_ends_with_a_word(calm: Assessment) -> None:
    _, mark = told(calm, None, 0 * HOUR)
    assert told(calm, mark, 23 * HOUR)[0] is None
    # Not with that of a look at some metrics: it is evidence of nothing else.
    late = calm.model_copy(update={"as_of": calm.as_of + 24 * HOUR})
    assert next_word(Sight(KEY, late, {"pilot"}, whole=False, since=calm.as_of), mark) is None
    word, _ = told(calm, mark, 24 * HOUR)
    assert word is not None
    assert isinstance(word.command, ReportEvidence)
    assert not word.command.changed
