"""metrics list and show: what there is to measure, and what a metric says of any partners, without a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.data_status import asked_length
from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.made_of import made_of, number
from cli.metrics_read import Asked, Shown, read, span_of, whom
from cli.output import Exit, Format, Output, Sheet, command, emit_json, say, sheets, show, table
from cli.progress import waiting
from cli.rollouts import DATES
from cli.tree import moment
from cli.tree import span as span_words
from models.base import many
from models.evidence import Contribution, PartnerReading
from models.metric import CATALOGUE, MetricName, MetricSpec, NoValue, in_words
from models.quality import Severity

MOMENTS = [*DATES, "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"]
"""As documents spell moments, too, so that what evidence says of itself can be asked for again."""

MANY = 5000
"""Partners from which on it is said that their facts are being read."""

app = typer.Typer(help="Metrics: what there is to measure, and what it says of any partners.", no_args_is_help=True)


@app.command("list", epilog="Example: rollouts metrics list -o json")
@command
async def list_(output: Output = Format.TABLE) -> None:
    """Every metric that a plan may name: unit, good side, owner, what it means, and what people usually agree.

    The first six every plan answers for; the others it may name. docs/metrics.md tells the parts of each.
    """
    if output is Format.JSON:
        emit_json("metrics", [spec.model_dump(mode="json", exclude={"said_as"}) for spec in CATALOGUE.values()])
        return
    columns = ("metric", "in", "good", "use", "plans", "owner", "version", "window", "data", "rests on", "limits")
    rows = [_entry(spec) for spec in CATALOGUE.values()]
    told = [Sheet(f"{row[0]}, {row[1]}", (row[-1], "; ".join(row[2:6]), "; ".join(row[6:-1]))) for row in rows]
    sheets(*columns, "is", rows=rows, told=told)


def _entry(spec: MetricSpec) -> tuple[str, ...]:
    usual = spec.defaults
    return (
        spec.name.value,
        spec.unit,
        spec.direction.value,
        spec.use.value,
        "every plan answers for it" if spec.framework else "plans may name it",
        spec.owner_role,
        f"definition {spec.definition_version}",
        usual.window,
        f"{usual.freshness} old at most",
        f"{usual.partners} partners, {usual.facts} facts",
        " and ".join(usual.thresholds),
        spec.formula,
    )


@app.command("show", epilog="Example: rollouts metrics show lead_follow_up_sla --tier gold --as-of 2026-01-31")
@command
async def show_(
    metric: Annotated[MetricName, typer.Argument(metavar="METRIC", help="Its name; `rollouts metrics list` has all.")],
    partner: Annotated[
        list[str] | None,
        typer.Option("--partner", metavar="ID", help="A partner by id, as often as needed, active or not."),
    ] = None,
    tier: Annotated[
        list[str] | None, typer.Option(metavar="TIER", help="Active partners of this tier, as often as needed.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(metavar="REGION", help="Of this region, as often as needed.")
    ] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Of this type, as often as needed.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, in order of their ids.")] = None,
    window: Annotated[
        str | None, typer.Option(metavar="90d", help="How long the window is; default: as people usually agree.")
    ] = None,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=MOMENTS, metavar="DATE", help="Where it begins (UTC), instead.")
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option(formats=MOMENTS, metavar="DATE", help="Where it ends (UTC); default: at the moment."),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of", formats=MOMENTS, metavar="DATE", help="By what was known then (UTC); default: at --to, or now."
        ),
    ] = None,
    by_partner: Annotated[
        bool, typer.Option("--by-partner", help="Also each partner, and who moved it since the window before.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also the checks of the data that found nothing.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 also if a check of its data is red, or they are too old.")
    ] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """What a metric says of some partners: as a rollout's look would read it, with all that stands beside the value.

    Without --partner it is of all active partners, or of those that --tier, --region and --type select, as plans do.
    The data are checked by the bounds of a new plan; of a window that ended before --as-of they are not. Nothing is
    judged, and nothing written. Exit code 1 if there is no value.
    """
    length = asked_length("--window", window)
    span = span_of(metric, length, from_, to, as_of, datetime.now(UTC))
    asked = Asked(partner or (), tier or (), region or (), type_ or (), limit)
    async with connection(Place(home)) as opened:
        cohort = await whom(opened, asked, span.as_of)
        with _reading(metric, cohort.size):
            found = await read(opened, metric, cohort, span, movers=by_partner)
    if output is Format.JSON:
        emit_json("metric", _document(found, by_partner=by_partner))
    else:
        _print(found, cohort.name, everything=everything)
        if by_partner:
            _print_partners(found)
    if found.reading.group.value is None:
        say(f"There is no value: {_why(found)}.")
        return Exit.ERROR
    distrusted = [check for check, severity, *_ in _checks(found) if severity is Severity.RED]
    if strict and distrusted:
        say(f"The data are not to be trusted: {', '.join(distrusted)}.")
        return Exit.ERROR
    return Exit.OK


def _reading(metric: MetricName, partners: int) -> AbstractContextManager[None]:
    """Of many partners it takes a while, which somebody at a terminal is told."""
    told = f"Reading {CATALOGUE[metric].title} of {partners:,} partners"
    return waiting(told) if partners >= MANY else nullcontext()


def _why(found: Shown) -> str:
    return in_words(found.reading.group.reason or NoValue.NO_DATA)


def _document(found: Shown, *, by_partner: bool) -> dict[str, Any]:
    reading, spec, judged = found.reading, CATALOGUE[found.reading.metric], found.judged
    told: dict[str, Any] = spec.model_dump(mode="json", include={"title", "unit", "direction", "use", "owner_role"})
    told |= reading.model_dump(mode="json", exclude={"cohort", "group", "quality", "top_partners"})
    told |= reading.group.model_dump(mode="json")
    told |= {
        "why": _why(found) if reading.group.value is None else None,
        "as_of": found.span.as_of.isoformat().replace("+00:00", "Z"),
        "members": found.members,
        "worst": [one.partner_id for one in reading.top_partners],
        "current": judged.data_current if judged else None,
        "sample_reached": judged.minimum_sample_reached if judged else None,
        "checks": [one.model_dump(mode="json") for one in judged.quality] if judged else None,
        "counted": reading.quality.model_dump(mode="json") if judged else None,
    }
    if by_partner:
        before = found.before
        told["before"] = (
            {"window": before.window.model_dump(mode="json"), **before.group.model_dump(mode="json")}
            if before
            else None
        )
        told["partners"] = [
            {
                "partner_id": one,
                "value": _own(found, row),
                "row": row.model_dump(mode="json", exclude={"partner_id"}) if row else None,
                "contribution": moved.model_dump(mode="json", exclude={"partner_id"}) if moved else None,
            }
            for one, row, moved in _partners(found)
        ]
    return told


def _print(found: Shown, who: str, *, everything: bool) -> None:
    reading, spec = found.reading, CATALOGUE[found.reading.metric]
    known = f", as known at {moment(found.span.as_of)}" if found.span.later else ""
    show(
        f"{spec.title} from {moment(reading.window.start)} to {moment(reading.window.end)}{known}, of "
        f"{many(found.members, 'partner')} ({who})"
    )
    made_of(reading)
    if reading.top_partners:
        show(f"\nWho weighs on it most: {', '.join(map(_in_short, reading.top_partners))}")
    if reading.leads:
        leads = (f"{one.lead_id} of {one.partner_id} ({one.state}, due {moment(one.due_at)})" for one in reading.leads)
        show(f"Leads behind it: {', '.join(leads)}")
    show("\nHow far the data are good, by the bounds of a new plan")
    checks = list(_checks(found))
    rows = [
        (check, severity.value, told, allowed)
        for check, severity, told, allowed in checks
        if everything or severity is not Severity.GREEN
    ]
    if rows:
        table("check", "severity", "found", "bounds", rows=rows)
    elif checks:
        say("No check is amber or red; --all shows what they looked at.")
    else:
        say("Not looked at: the window ended before --as-of; without --to, or with --as-of there, they are.")


def _in_short(one: PartnerReading) -> str:
    return f"{one.partner_id} ({number(one.numerator)} of {number(one.denominator)})"


def _checks(found: Shown) -> Iterator[tuple[str, Severity, str, str]]:
    """How old the data are and how large the sample is, then each check with what it found and what is allowed."""
    judged, usual = found.judged, CATALOGUE[found.reading.metric].defaults
    if judged is None:
        return
    old = f"{span_words(judged.data_age)} old" if judged.data_age is not None else "nothing is known"
    yield "age", Severity.GREEN if judged.data_current else Severity.RED, old, f"at most {usual.freshness}"
    sample = f"{many(judged.n_partners, 'partner')}, {many(judged.n_facts, 'fact')}"
    least = f"at least {usual.partners} and {usual.facts}"
    yield "sample", Severity.GREEN if judged.minimum_sample_reached else Severity.AMBER, sample, least
    for one in judged.quality:
        names = f" ({', '.join(one.partners)})" if one.partners else ""
        yield one.check.value, one.severity, one.found + names, one.allowed


def _partners(found: Shown) -> list[tuple[str, PartnerReading | None, Contribution | None]]:
    """Whoever has a row or moved the value: who moved it most first or, where nobody did, who cost it most."""
    from judgement.contributions import worst_partners

    rows = {one.partner_id: one for one in found.rows}
    moved = {one.partner_id: one for one in found.moved}
    worst = worst_partners(found.reading.metric, found.rows, len(rows))
    order = dict.fromkeys((*moved, *(one.partner_id for one in worst), *rows))
    return [(one, rows.get(one), moved.get(one)) for one in order]


def _own(found: Shown, row: PartnerReading | None) -> float | None:
    from judgement.values import group_value

    return group_value(found.reading.metric, (row,)).value if row else None


def _print_partners(found: Shown) -> None:
    before = found.before
    if before is not None:
        value = (
            number(before.group.value)
            if before.group.value is not None
            else f"no value: {in_words(before.group.reason or '')}"
        )
        span = f"{moment(before.window.start)} to {moment(before.window.end)}"
        show(f"\nEach partner, and who moved it since {span}, which had {value}; all of them add up to the change")
    rows = [
        (
            partner,
            number(_own(found, row)),
            *(map(number, (row.numerator, row.denominator)) if row else ("-", "-")),
            str(row.facts) if row else "0",
            *((number(part, "+") for part in (one.change, one.own, one.mix)) if one else ("-", "-", "-")),
            number(one.then) if one else "-",
            ", ".join(one.facts) if one else "",
        )
        for partner, row, one in _partners(found)
    ]
    columns = ("partner", "value", "numerator", "denominator", "facts", "change", "own", "mix", "then")
    table(*columns, "such as", rows=rows)
