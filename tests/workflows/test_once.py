"""What a rollout says once: where it stands and which letters it wrote; and how it hears a word that says little."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from models.command import WATCH_ACTOR, DailyWord, ReportEvidence, Verb
from models.rollout import Status
from models.work import RecordRequest, RolloutKey
from tests.plans import make_plan
from tests.workflows.simulator import START, Simulator
from workflows.operations import _read
from workflows.wire import Told, notices_of, record_of

KEY = RolloutKey(rollout_id="test-plan", chain_id="chain")
WORD = DailyWord(as_of=START, evidence_digest="sha256:0123456789abcdef")


@pytest.fixture
def rollout() -> Simulator:
    """Running, with something in its log that is still to be recorded."""
    rollout = Simulator(make_plan())
    rollout.receive(Verb.ACKNOWLEDGE, "sponsor")
    return rollout


def recorded(rollout: Simulator, told: Told | None) -> RecordRequest:
    return record_of(rollout.state, KEY, "chain", rollout.moment, told)


def test_a_standing_that_the_store_has_is_not_sent_again(rollout: Simulator) -> None:
    told = Told()
    first = recorded(rollout, told)
    assert first.standing is not None
    told.taken()
    assert recorded(rollout, told).standing is None
    told.taken()
    assert recorded(rollout, told).standing is None


def test_a_standing_that_has_changed_is_sent(rollout: Simulator) -> None:
    told = Told()
    recorded(rollout, told)
    told.taken()
    rollout.receive(Verb.PAUSE, "sponsor")
    assert rollout.status is Status.PAUSED
    changed = recorded(rollout, told).standing
    assert changed is not None
    assert changed.status == "paused"


def test_a_record_that_failed_may_have_been_written_so_the_next_one_says_where_the_rollout_stands(
    rollout: Simulator,
) -> None:
    told = Told()
    running = recorded(rollout, told).standing
    told.taken()
    before = rollout.state
    rollout.receive(Verb.PAUSE, "sponsor")
    assert recorded(rollout, told).standing != running
    rollout.state = before.model_copy(update={"unrecorded": rollout.state.unrecorded})
    again = recorded(rollout, told)
    assert again.standing == running


def test_a_run_from_before_says_everything_each_time(rollout: Simulator) -> None:
    for _ in range(2):
        request = recorded(rollout, None)
        assert request.standing is not None
        said = json.loads(request.model_dump_json())["entries"]
        assert all({"at", "programme_at", "phase"} <= entry.keys() for entry in said)


def test_letters_are_named_without_the_rollout_and_its_chain(rollout: Simulator) -> None:
    rollout.receive(Verb.PAUSE, "sponsor")
    names = [one.notice_id for one in rollout.state.notices]
    assert names
    assert notices_of(rollout.state, KEY, once=False) == tuple(names)
    assert notices_of(rollout.state, KEY) == tuple(one.removeprefix("test-plan/chain/") for one in names)


def sent(said: Any) -> list[RawValue]:
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    return [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))]


def test_a_short_word_is_the_watchs_word_that_nothing_has_changed() -> None:
    written = WORD.model_dump_json().encode()
    assert json.loads(written) == {"as_of": "2026-01-05T00:00:00Z", "evidence_digest": "sha256:0123456789abcdef"}
    found = _read(Verb.REPORT_EVIDENCE, sent(written), short_words=True)
    assert found == WORD.at_length()
    assert isinstance(found, ReportEvidence)
    assert (found.actor, found.changed) == (WATCH_ACTOR, False)


def test_a_short_word_brings_its_proof_along() -> None:
    """Without it, a rollout that knows the watch by its proofs would refuse every quiet day, and hold."""
    proven = WORD.model_copy(update={"proof": "a token of the watch"})
    found = _read(Verb.REPORT_EVIDENCE, sent(proven.model_dump_json().encode()), short_words=True)
    assert isinstance(found, ReportEvidence)
    assert found.proof == "a token of the watch"


def test_a_run_from_before_takes_a_short_word_for_a_request_that_cannot_be_read_as_it_did_then() -> None:
    with pytest.raises(ValidationError, match="request_id"):
        _read(Verb.REPORT_EVIDENCE, sent(WORD.model_dump_json().encode()), short_words=False)


@pytest.mark.parametrize(
    "said",
    [
        {"as_of": "2026-01-05T00:00:00Z"},
        {"as_of": "2026-01-05T00:00:00Z", "evidence_digest": "sha256:0", "changed": True},
        {"as_of": "2026-01-05T00:00:00Z", "evidence_digest": "sha256:0", "reason": "nothing has changed"},
        {"as_of": "yesterday", "evidence_digest": "sha256:0"},
    ],
)
def test_what_says_more_or_less_than_a_short_word_is_none(said: dict[str, Any]) -> None:
    """Above all a change that somebody forgot to sign with a name must not pass for a quiet day."""
    with pytest.raises(ValidationError):
        _read(Verb.REPORT_EVIDENCE, sent(said), short_words=True)


def test_a_short_word_of_another_verb_is_none() -> None:
    with pytest.raises(ValidationError):
        _read(Verb.REPORT_BREACH, sent(WORD.model_dump_json().encode()), short_words=True)


def test_the_words_of_two_days_are_two_requests(rollout: Simulator) -> None:
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    for day in range(3):
        rollout.now += timedelta(days=1)
        word = DailyWord(as_of=rollout.now, evidence_digest=f"sha256:{day:016x}")
        before = rollout.state.sequence
        rollout.take(Verb.REPORT_EVIDENCE, word.at_length())
        assert rollout.state.last_evidence_at == rollout.now
        assert rollout.state.sequence == before
