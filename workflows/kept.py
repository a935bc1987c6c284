"""The state of a rollout in a worker's memory: packed while the rollout waits, which it does nearly all of the time."""

from __future__ import annotations

import zlib

from pydantic_core import to_json

from models.plan import KEPT
from models.rollout import RolloutState


class Kept:
    """Holds one state. What is packed is what would be carried on to the next run, so nothing is lost by it."""

    def __init__(self, state: RolloutState) -> None:
        self._state: RolloutState | None = state
        self._packed = b""

    @property
    def state(self) -> RolloutState:
        """The state, unpacked if need be."""
        if self._state is None:
            self._state = RolloutState.model_validate_json(zlib.decompress(self._packed), context=KEPT)
        return self._state

    @state.setter
    def state(self, state: RolloutState) -> None:
        self._state = state

    def pack(self) -> None:
        """Until the state is asked for again it takes a twentieth of its room."""
        if self._state is not None:
            self._packed = zlib.compress(to_json(self._state), 1)
            self._state = None
