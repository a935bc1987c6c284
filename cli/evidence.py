"""evidence: what an assessment rests on: what values are made of, whom they are compared with, who moved them, how far
the data are good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.made_of import made_of, number
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show, table
from cli.rollouts import Name
from cli.tree import moment
from models.base import short
from models.change import MaterialChange
from models.evidence import Assessment, MetricAssessment
from models.metric import CATALOGUE
from models.quality import Severity

if TYPE_CHECKING:
    from store.views import Numbers


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts evidence gold-tier-rebate")(evidence)


@command
async def evidence(
    name: Name,
    digest: Annotated[
        str | None, typer.Option(help="Digest of an assessment, or its first 8 digits; default: the newest.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the checks of the data that found nothing.")] = False,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also what each value is made of: both sides and all its parts.")
    ] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """What an assessment rests on, as the store keeps it whole.

    Beside each value that of partners who are not enrolled, and how much more the cohort moved than they did; who moved
    it, by how much, with the facts; what is proven of changes that the plan judges; and what the checks of its data
    found. With --parts, and always in JSON, what each value is made of, down to the four parts of pipeline velocity,
    the balances of MDF and the states of leads.
    """
    found, numbers = await _read(Place(home), name, digest)
    if output is Format.JSON:
        emit_json("evidence", found.model_dump(mode="json") | {"measured": _measured(numbers)})
        return
    show(f"Evidence {short(found.digest)} of {name} as of {moment(found.as_of)}")
    _values(found)
    if parts:
        _parts(numbers)
    _movers(found)
    _changes(found)
    _data(found, everything=everything)


async def _read(place: Place, name: str, digest: str | None) -> tuple[Assessment, Numbers]:
    from cli.database import connection
    from store.evidence import read_assessment
    from store.views import read_numbers

    async with connection(place) as opened:
        found = await read_assessment(opened, name, digest)
        if found is not None:
            return found, await read_numbers(opened, name, found.snapshot_digest)
    asked = f"assessment {digest}" if digest else "assessment"
    told = f"The store has no {asked} of {name}; `rollouts list` shows all rollouts."
    raise CliError(told, Exit.BAD_INPUT)


def _measured(numbers: Numbers) -> list[dict[str, Any]]:
    """Each reading with what it is made of; `beside` tells those of partners who are not enrolled."""
    fields = {"cohort", "metric", "window", "data_through", "definition_version"}
    return [
        one.model_dump(mode="json", include=fields) | one.group.model_dump(mode="json") | {"beside": beside}
        for beside, of in ((False, numbers.readings), (True, numbers.beside))
        for one in of
    ]


def _parts(numbers: Numbers) -> None:
    """Reading by reading; parts that are not there, such as an average of nothing, have no number."""
    if not numbers.readings:
        say("The store does not have what was measured.")
    for one in (*numbers.readings, *numbers.beside):
        spec = CATALOGUE[one.metric]
        show(f"\n{one.cohort}: {spec.title} from {moment(one.window.start)} to {moment(one.window.end)}")
        made_of(one)


def _values(found: Assessment) -> None:
    columns = ("cohort", "metric", "verdict", "value", "baseline", "beside", "its value", "its baseline", "difference")
    table(*columns, rows=[_value(item) for item in found.items])


def _value(item: MetricAssessment) -> tuple[str, ...]:
    beside = item.comparison
    numbers = (beside.value, beside.baseline, beside.difference) if beside else (None, None, None)
    name = f"{beside.cohort} ({beside.partners})" if beside else "nobody"
    own = (number(item.value), number(item.baseline))
    return (*_of(item), item.verdict.value, *own, name, *map(number, numbers[:2]), number(numbers[2], "+"))


def _movers(found: Assessment) -> None:
    show("\nWho moved it since the baseline, in the metric's unit; the whole cohort adds up to the change")
    rows = [
        (
            *_of(item),
            one.partner_id,
            *(number(part, "+") for part in (one.change, one.own, one.mix)),
            number(one.then),
            number(one.now),
            ", ".join(one.facts),
        )
        for item in found.items
        for one in item.contributions
        if round(one.change, 2)
    ]
    if rows:
        table("cohort", "metric", "partner", "change", "own", "mix", "then", "now", "facts", rows=rows)
    elif any(item.contributions for item in found.items):
        say("Nobody: nothing has moved by as much as 0.01.")
    else:
        say("Nobody: there is no baseline to compare with, or the watch looked, who needs no more than the verdict.")


def _changes(found: Assessment) -> None:
    """What is proven of each change, and by which measure: nothing where the plan judges none."""
    judged = [(item, item.change) for item in found.items if item.change is not None]
    if not judged:
        return
    show("\nChanges since the baseline against comparable partners, of matured days since enrolment")
    columns = ("cohort", "metric", "verdict", "estimate", "interval", "margin", "boundary", "partners", "facts")
    table(*columns, "largest", "matured through", "method", rows=[_change(*one) for one in judged])
    for item, change in judged:
        show(f"{item.cohort}: {change.sentence}")
        for gate in change.gates:
            show(f"  {'stands in the way' if gate.blocks else 'keeps it from being met'}: {gate.told} ({gate.gate})")


def _change(item: MetricAssessment, change: MaterialChange) -> tuple[str, ...]:
    low, high = (number(end, "+") for end in change.interval)
    boundary = "-" if change.boundary is None else f"{number(change.critical)} errors, {change.boundary}"
    largest = "-" if change.top_partner is None else f"{change.top_partner} {number(change.top_share)} %"
    # The day is the last whole one: the stretch ends at the midnight after it.
    through = "-" if change.matured_through is None else f"{change.matured_through - timedelta(days=1):%Y-%m-%d}"
    return (
        *_of(item),
        item.by_change.value if item.by_change else "-",
        "-" if change.estimate is None else f"{number(change.estimate, '+')} {change.unit}",
        f"{low} to {high}",
        number(change.margin),
        boundary,
        f"{change.partners} against {change.compared}",
        str(change.facts),
        largest,
        through,
        str(change.method),
    )


def _data(found: Assessment, *, everything: bool) -> None:
    show("\nHow far the data are good")
    rows = [
        (*_of(item), one.check.value, one.severity.value, one.found, one.allowed)
        for item in found.items
        for one in item.quality
        if everything or one.severity is not Severity.GREEN
    ]
    if rows:
        table("cohort", "metric", "check", "severity", "found", "bounds", rows=rows)
    else:
        say("No check is amber or red; --all shows what they looked at.")


def _of(item: MetricAssessment) -> tuple[str, str]:
    return item.cohort, CATALOGUE[item.metric].title
