"""The one error of this room: what was brought does not prove what it is said to prove."""

from __future__ import annotations


class NotSound(Exception):
    """The message says what was found and what is expected. Whatever is wrong with bytes from outside is told by it:
    no other exception leaves a function that reads or verifies them."""
