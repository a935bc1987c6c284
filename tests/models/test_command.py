"""What a message says on its way, which is what a history keeps of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from models.claims import request_digest
from models.command import Acknowledge, JudgePause, PauseVerdict, ReportEvidence

SAID: dict[str, Any] = {"request_id": "request-0001", "actor": "sam.sponsor@example.com", "reason": "seen"}


def test_a_message_is_written_without_the_token_and_the_format_that_it_does_not_name() -> None:
    assert json.loads(Acknowledge(**SAID).model_dump_json()) == SAID


def test_what_a_message_does_name_is_written_and_read_again() -> None:
    named = Acknowledge(**SAID, token="a.b.c", schema_version=2)
    assert json.loads(named.model_dump_json()) == {**SAID, "token": "a.b.c", "schema_version": 2}
    assert Acknowledge.model_validate_json(named.model_dump_json()) == named


def test_a_message_of_an_earlier_release_says_the_same_and_has_the_same_digest() -> None:
    earlier = Acknowledge.model_validate_json(json.dumps({"schema_version": 1, **SAID, "token": None}))
    assert earlier == Acknowledge(**SAID)
    assert request_digest(earlier) == request_digest(Acknowledge(**SAID))


def test_what_is_false_is_said() -> None:
    """Only the two fields that every message has may be silent: whether something has changed is no default."""
    quiet = ReportEvidence(**SAID, as_of=datetime(2026, 1, 5, tzinfo=UTC), changed=False, evidence_digest="sha256:0")
    assert json.loads(quiet.model_dump_json())["changed"] is False


def test_every_number_that_a_message_may_say_has_a_digest() -> None:
    """A larger one has none in canonical JSON: asked for it, a rollout would stand still for good."""
    most: dict[str, Any] = {"pause": 2**53 - 1, "schema_version": 2**53 - 1}
    assert request_digest(JudgePause(**SAID, verdict=PauseVerdict.RIGHT, **most)).startswith("sha256:")
    for field, value in most.items():
        with pytest.raises(ValidationError, match=field):
            JudgePause(**SAID, verdict=PauseVerdict.RIGHT, **(most | {field: value + 1}))
