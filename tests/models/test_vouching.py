"""What proves a word of the watch: only who has the seed makes it, and what was shown proves no later word."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vouching import SPAN, SPANS, WatchKey, good_until, key_of, proof_of, proven

BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
SEED = b"a seed that nobody else has"
DAY = timedelta(days=1)


def said(at: datetime, seed: bytes = SEED) -> str:
    proof = proof_of(seed, BEGUN, at)
    assert proof is not None
    return proof


@given(st.lists(st.integers(0, SPANS * 12 * 60 - 1), min_size=1, max_size=5))
def test_the_watch_s_words_are_proven_whenever_it_speaks_and_however_many_were_lost(minutes: list[int]) -> None:
    key = key_of(SEED)
    for at in (BEGUN + timedelta(minutes=one) for one in sorted(minutes)):
        found = proven(key, BEGUN, at, said(at))
        assert found is not None
        assert at < good_until(found, BEGUN) <= at + SPAN
        key = found


def test_a_token_is_the_same_for_whoever_says_it_again_and_differs_between_rollouts_and_half_days() -> None:
    assert said(BEGUN) == said(BEGUN + SPAN - timedelta(microseconds=1))
    assert len({said(BEGUN), said(BEGUN + SPAN), said(BEGUN, b"another seed")}) == 3


def test_what_was_shown_proves_no_later_word() -> None:
    """Whoever has overheard all words, and knows what the rollout knows, has nothing for the next half day."""
    key = proven(key_of(SEED), BEGUN, BEGUN + 10 * DAY, said(BEGUN + 10 * DAY))
    assert key is not None
    overheard = [said(BEGUN + number * SPAN) for number in range(21)]
    for later in (BEGUN + 10 * DAY + SPAN, BEGUN + 11 * DAY, BEGUN + 40 * DAY):
        assert proven(key, BEGUN, later, said(later)) is not None
        for proof in (*overheard, key.token, key_of(SEED).token, None):
            assert proven(key, BEGUN, later, proof) is None


def test_a_moment_before_the_newest_word_proves_nothing() -> None:
    key = proven(key_of(SEED), BEGUN, BEGUN + 10 * DAY, said(BEGUN + 10 * DAY))
    assert key is not None
    for proof in (said(BEGUN + 9 * DAY), key.token):
        assert proven(key, BEGUN, BEGUN + 9 * DAY, proof) is None
    assert proven(key, BEGUN, BEGUN + 10 * DAY, said(BEGUN + 10 * DAY)) == key


def test_the_end_of_the_chain_which_the_history_tells_proves_nothing() -> None:
    key = key_of(SEED)
    for at in (BEGUN - SPAN, BEGUN - timedelta(microseconds=1), BEGUN):
        assert proven(key, BEGUN, at, key.token) is None


@pytest.mark.parametrize(
    "proof", [None, "", "x", "ä" * 16, "!" * 16, "A" * 15, "A" * 16, "A" * 20, said(BEGUN) + "A", "\x00" * 16]
)
def test_whatever_is_no_token_proves_nothing(proof: str | None) -> None:
    assert proven(key_of(SEED), BEGUN, BEGUN, proof) is None


def test_after_the_last_token_nothing_is_proven() -> None:
    last = BEGUN + SPANS * SPAN
    assert proof_of(SEED, BEGUN, last) is None
    assert proof_of(SEED, BEGUN, BEGUN - SPAN) is None
    shown = WatchKey(token=said(last - SPAN), span=SPANS)
    assert proven(shown, BEGUN, last, base64.urlsafe_b64encode(b"0" * 12).decode()) is None
