"""Writes settings, metrics and search attributes into docs/operations.md: `python -m worker.reference`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

from pydantic.fields import FieldInfo

from activities import meters
from worker import gauges
from worker.settings import WorkerSettings, variable
from workflows.attributes import SEARCH_ATTRIBUTES

TARGET = Path(__file__).parent.parent / "docs" / "operations.md"

METRICS = {
    f"{meters.EVALUATED}_total": "rollouts that the watch measured and judged",
    f"{meters.SIGNALLED}_total": "rollouts that it told of a change, a breach, or the day's evidence",
    f"{meters.FAILED}_total": f"open rollouts that it could not look at, by `reason`: `{meters.NOT_EVALUATED}`, "
    f"`{meters.WITHOUT_WORKFLOW}`",
    meters.LAST_LOOK: "when this worker last did the watch's look, or started; seconds since 1970",
    f"{meters.EFFECTS_REFUSED}_total": "enrolments and withdrawals that nobody had signed for, by `activity`: somebody "
    "who should not works on the rollouts' queue",
    gauges.OPEN: "open rollouts by `status`; every worker counts the same ones, so take the largest",
    gauges.UNSIGNED: "seconds for which the oldest entry of the decision log has stood that no signed checkpoint "
    "covers; 0 where all are; take the largest",
    gauges.SIGNS: "1 where this worker signs the decision log, 0 where it lacks the key",
    gauges.ALARMS: "alarms that stand about the workflows of rollouts, by `trouble`; take the largest",
    gauges.LETTERS: "letters by `state`: `waiting` for a channel, `refused` by one for good; take the largest",
}
"""Every metric of our own under its name in a scrape."""


def settings_table() -> str:
    """All settings, those without a default first."""
    fields = sorted(WorkerSettings.model_fields.items(), key=lambda one: not one[1].is_required())
    rows = (
        (f"`{variable(name)}`", _default(field), _allowed(field), field.description or "") for name, field in fields
    )
    return _table(("variable", "default", "allowed", "meaning"), rows)


def metrics_table() -> str:
    """All metrics of our own."""
    return _table(("metric", "what it counts"), ((f"`{name}`", what) for name, what in METRICS.items()))


def attributes_table() -> str:
    """All search attributes."""
    rows = ((f"`{key.name}`", f"`{key.indexed_value_type.name.title()}`") for key in SEARCH_ATTRIBUTES)
    return _table(("name", "type"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default is None:
        return "unset"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{_length(field.default)}`" if isinstance(field.default, timedelta) else f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    if isinstance(field.default, bool):
        return "`true`, `false`"
    choices = [one for one in get_args(field.annotation) if isinstance(one, str)]
    if choices:
        return ", ".join(f"`{one}`" for one in choices)
    least = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    most = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    if isinstance(field.default, timedelta):
        return f"`{_length(least or timedelta(0))}` to `168h`"
    if most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"{least} or more"
    return f"such as `{field.examples[0]}`" if field.examples else "any text"


def _length(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    whole = ((size, unit) for size, unit in ((3600, "h"), (60, "m"), (1, "s")) if seconds % size == 0)
    size, unit = next(whole)
    return f"{seconds // size}{unit}" if seconds else "0s"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "metrics": metrics_table,
    "attributes": attributes_table,
}


def render(document: str) -> str:
    """The document with its generated parts as the code has them now.

    Raises:
        ValueError: a part has no place in the document.
    """
    for name, write in PARTS.items():
        place = re.compile(rf"^( *)<!-- {name} -->\n.*?^\1<!-- end of {name} -->$", re.DOTALL | re.MULTILINE)
        found = place.search(document)
        if found is None:
            raise ValueError(f"the document has no place for the {name}")
        lines = (f"<!-- {name} -->", *write().splitlines(), f"<!-- end of {name} -->")
        written = "\n".join(found[1] + line for line in lines)
        document = document[: found.start()] + written + document[found.end() :]
    return document


def main() -> None:
    TARGET.write_text(render(TARGET.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
