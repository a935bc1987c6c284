"""What events name that files bring: whether it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from store.events.arrivals import Arrival
from store.events.errors import EventProblem, shown
from store.events.types import DATA
from store.intake.kinds import FactKind
from store.pool import Connection
from store.statements import statement

_UNKNOWN: Final = statement("events/unknown_names")

_NAMES: Final = {
    type_: tuple(name for name in ("partner_id", "person_id", "allocation_id") if name in data.model_fields)
    for type_, (_, data) in DATA.items()
}
"""What each type of event names that must be known."""


async def unknown_names(conn: Connection, fresh: Sequence[Arrival]) -> list[EventProblem]:
    """Partners, people, allocations and checks come from files: an event that names another one is a mistake."""
    names: dict[str, set[str]] = {field: set() for field in ("partner_id", "person_id", "allocation_id")}
    checks: set[tuple[str, int]] = set()
    for one in fresh:
        for field in _NAMES[one.event.type]:
            if (name := one.event.data[field]) is not None:
                names[field].add(name)
        if one.key.kind == FactKind.COMPLIANCE_RESULTS:
            checks.add((one.event.data["check_id"], one.event.data["check_version"]))
    if not checks and not any(names.values()):
        return []
    rows = await conn.fetch(
        _UNKNOWN, *map(list, names.values()), [name for name, _ in checks], [version for _, version in checks]
    )
    unknown = {(row["field"], row["name"]) for row in rows}
    return [problem for one in fresh for problem in _unknown_in(one, unknown)] if unknown else []


def _unknown_in(one: Arrival, unknown: set[tuple[str, str]]) -> list[EventProblem]:
    data = one.event.data
    said = {field: str(data.get(field)) for field in ("partner_id", "person_id", "allocation_id")}
    said["check_version"] = f"{data.get('check_id')} {data.get('check_version')}"
    what = {
        "partner_id": "a partner",
        "person_id": "a person",
        "allocation_id": "an allocation",
        "check_version": "a check",
    }
    return [
        EventProblem(
            event=one.place,
            field=f"data.{field}",
            found=shown(name),
            allowed=f"{what[field]} that is known; import it first",
        )
        for field, name in said.items()
        if (field, name) in unknown and field in data
    ]
