"""What a field of a fact is: its type, whether a row can do without it, and what it becomes where it is empty."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from models.base import Frozen


class FieldType(StrEnum):
    """How a cell is read; the value says it to people."""

    TEXT = "text"
    TEXTS = "texts separated by ;"
    MONEY = "an amount with at most 14 digits before the decimal point"
    NUMBER = "a number"
    SHARE = "a share from 0 to 1"
    INTEGER = "a whole number"
    BOOLEAN = "true, false, yes, no, 1 or 0"
    DATE = "a date such as 2025-12-31"
    MONTH = "a month such as 2025-12, or any date in it"
    INSTANT = "a moment such as 2025-12-31T17:00:00+01:00"
    CURRENCY = "a currency code of three capital letters"
    ZONE = "a time zone name such as Europe/Berlin"
    HOURS = "opening hours such as 09:00-12:30;13:30-18:00"
    HOLIDAYS = "a country such as DE, or a part of one such as DE-BY"


_NAMES: Final = frozenset({"class", "invoice_ref", "policy_version", "region", "role", "stage", "tier", "type"})
"""What others are sorted and looked up by, beside all that ends in `_id`."""


class FieldSpec(Frozen):
    """One field. `required`: no row without it. `default`: what an empty cell becomes.

    `true_where`: another field and a value of it; an empty cell becomes whether it has that value. `not_before`:
    another field of the row, of the same type, that it must not lie before.
    """

    name: str
    type: FieldType
    required: bool = False
    default: str | None = None
    allowed: tuple[str, ...] = ()
    true_where: tuple[str, str] | None = None
    not_before: str | None = None

    @property
    def is_name(self) -> bool:
        """Whether facts are found by it, so that it is short and nothing in it is unseen."""
        return self.type is FieldType.TEXT and not self.allowed and (self.name.endswith("_id") or self.name in _NAMES)

    @property
    def is_time(self) -> bool:
        """Whether it says when something happened."""
        return self.type in (FieldType.DATE, FieldType.MONTH, FieldType.INSTANT)


def optional(name: str, type_: FieldType = FieldType.TEXT, default: str | None = None) -> FieldSpec:
    return FieldSpec(name=name, type=type_, default=default)


def required(name: str, type_: FieldType = FieldType.TEXT) -> FieldSpec:
    return FieldSpec(name=name, type=type_, required=True)


def one_of(name: str, *allowed: str, required: bool = False, default: str | None = None) -> FieldSpec:
    return FieldSpec(name=name, type=FieldType.TEXT, required=required, default=default, allowed=allowed)


def whether(name: str, other: str, value: str) -> FieldSpec:
    return FieldSpec(name=name, type=FieldType.BOOLEAN, true_where=(other, value))


def deadline(name: str, begins: str) -> FieldSpec:
    return FieldSpec(name=name, type=FieldType.INSTANT, not_before=begins)


def last_day(name: str, begins: str) -> FieldSpec:
    return FieldSpec(name=name, type=FieldType.DATE, not_before=begins)


def change(stem: str) -> tuple[FieldSpec, FieldSpec]:
    return optional(f"{stem}_at", FieldType.INSTANT), optional(f"{stem}_known_at", FieldType.INSTANT)
