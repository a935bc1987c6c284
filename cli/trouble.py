"""What `doctor` says of one thing that it looked at, or could not look at."""

from __future__ import annotations


class Trouble(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, found: str, advice: str, *, unavailable: bool = False) -> None:
        super().__init__(found)
        self.advice = advice
        self.unavailable = unavailable


class NotHere(Exception):
    """It cannot be looked at from here, which is nothing wrong; the message says why."""
