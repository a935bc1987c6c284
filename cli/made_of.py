"""What a value is made of, for people: both sides, what it rests on, and all its parts with what they are."""

from __future__ import annotations

from cli.output import show, table
from cli.tree import moment
from models.base import many
from models.evidence import CohortReading
from models.metric import CATALOGUE, in_words


def made_of(one: CohortReading) -> None:
    """Print it. Parts that are not there, such as an average of nothing, have no number."""
    group, spec = one.group, CATALOGUE[one.metric]
    if group.value is None:
        value = f"no value: {in_words(group.reason or '')}; it would be {spec.formula}"
    else:
        value = f"{number(group.value)} {spec.unit} = {spec.formula}"
    through = moment(one.data_through) if one.data_through else "nowhere"
    show(
        f"  {value}\n"
        f"  numerator {number(group.numerator)}, denominator {number(group.denominator)}; "
        f"{many(group.n_partners, 'partner')}, {many(group.n_facts, 'fact')}; data reach to {through}; "
        f"definition {one.definition_version}"
    )
    rows = [(part.name, number(group.parts.get(part.name)), part.unit, part.meaning) for part in spec.parts]
    table("part", "number", "in", "is", rows=rows)


def number(found: float | None, sign: str = "") -> str:
    """To two digits; what rounds to nothing is nothing, and has no sign."""
    return "-" if found is None else f"{round(found, 2) + 0.0:{sign}.2f}"
