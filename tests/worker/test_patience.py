"""What tests wait for ends, and they say in words what it was."""

from __future__ import annotations

import asyncio

import pytest

from tests.worker import process
from tests.worker.process import patiently


async def test_a_look_that_never_ends_is_given_up_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.1)

    async def look() -> bool | None:
        await asyncio.Event().wait()
        return True

    with pytest.raises(AssertionError, match="nobody answers"):
        await patiently(look, lambda: "nobody answers")


async def test_a_client_that_makes_an_error_of_its_own_of_being_given_up_is_told_of_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask() -> bool | None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("cancelled") from None
        return True

    monkeypatch.setattr(process, "PATIENCE", 0.1)
    with pytest.raises(AssertionError, match="nobody answers"):
        await patiently(ask, lambda: "nobody answers")


async def test_what_fails_in_time_fails_in_its_own_words() -> None:
    async def look() -> bool | None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await patiently(look, lambda: "nobody answers")
