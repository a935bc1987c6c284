"""The converter that client, worker and replayer share: pydantic's, whose readers are made once for all workflows."""

from __future__ import annotations

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_ENCODERS = tuple(PydanticPayloadConverter().converters.values())


class SharedPayloadConverter(CompositePayloadConverter):
    """Writes and reads as pydantic's own does, with the same encoders for everybody.

    The SDK makes a converter for each workflow. Pydantic's remembers what it has compiled to read a type, so that each
    would compile it for itself: several milliseconds of each start, and most of what a rollout holds in a worker's
    memory. Only types that are the same in every workflow may be read: those of a module that is not passed through
    would be other types in each, and be remembered for each.
    """

    def __init__(self) -> None:
        super().__init__(*_ENCODERS)


SHARED_CONVERTER = DataConverter(payload_converter_class=SharedPayloadConverter)
