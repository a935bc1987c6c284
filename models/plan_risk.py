"""A risk of a plan, and what of a rollout's log shows whether it came true."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import ConfigDict, model_validator

from models.base import Frozen, Grown
from models.metric import MetricName
from models.owner import Role, Text, said


class Wait(StrEnum):
    """What a rollout's time goes into where it does not move."""

    PEOPLE = "people"
    DATA = "data"
    RESULTS = "results"


class ShownBy(Frozen):
    """What shows whether a risk came true. Where the plan says so, nothing is read off the risk's words."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    metrics: tuple[MetricName, ...] = said("metrics of this plan: readings beyond a limit, pauses", default=())
    waits: tuple[Wait, ...] = said(
        "days waited for `people`, `data` or `results`; for data also readings that could say nothing", default=()
    )
    roles: tuple[Role, ...] = said("roles of owners: days in which they could have acted and had not", default=())

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.metrics or self.waits or self.roles):
            raise ValueError("names nothing; name at least one of metrics, waits and roles, or leave shown_by out")
        return self

    @property
    def told(self) -> str:
        """All of it on one line."""
        waits = (f"waiting for {one.value}" for one in self.waits)
        return ", ".join((*(one.value for one in self.metrics), *waits, *self.roles))


class Risk(Grown):
    """What may go wrong, and what is done about it."""

    later: ClassVar[frozenset[str]] = frozenset({"shown_by"})

    risk: Text = said("what may go wrong")
    mitigation: Text = said("what is done about it")
    shown_by: ShownBy | None = said(
        "what of the log shows whether it came true; left out: read off the words of the risk", default=None
    )
