"""Sentences about a rollout in the reader's language, also what the rollout itself says in a short form of its own."""

from __future__ import annotations

import pytest

from console.pages.telling import what_words
from console.pages.words import words_in

STOP = "agree to stop finished keep, current withdraw, pending withdraw"
OVERRIDE = "agree to override lead_follow_up_sla until 2026-02-01T12:30:00+00:00"


@pytest.mark.parametrize(
    ("what", "language", "told"),
    [
        (STOP, "en", "Cohorts that are over: keep; present: withdraw; not enrolled: withdraw."),
        (STOP, "ja", "終わったコホート: 続ける、現在: 取り消す、未適用: 取り消す。"),
        (OVERRIDE, "en", "Lead follow-up SLA until 1 Feb 2026 12:30 UTC"),
        (OVERRIDE, "ja", "リード対応SLA（2026年2月1日 12:30 UTCまで）"),  # noqa: RUF001 - Japanese brackets
        ("agree to override something until never", "ja", "something until never"),
    ],
)
def test_what_somebody_is_asked_to_agree_to_is_told_in_the_readers_language(
    what: str, language: str, told: str
) -> None:
    assert what_words(words_in(language), what).endswith(told)
