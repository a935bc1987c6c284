"""data import and generate: partner facts from files, or a seeded world to try things on; `data status` and `check`
beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.data_calendar import calendar
from cli.data_check import check
from cli.data_currency import currency
from cli.data_status import status
from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show
from cli.progress import Advance, bar
from models.base import many
from store.intake.kinds import FactKind

app = typer.Typer(
    help="Partner facts: import files, see where they stand and what contradicts itself, generate a world.",
    no_args_is_help=True,
)
app.command("calendar", epilog="Example: rollouts data calendar berlin-office --year 2026")(calendar)
app.command("currency", epilog="Example: rollouts data currency EUR")(currency)
app.command("status", epilog="Example: rollouts data status --strict")(status)
app.command("check", epilog="Example: rollouts data check --kind mdf-claims --limit 20")(check)


class Life(StrEnum):
    """What `--with` takes: a member for each of `store.world_spec.Further`, and one for all of them."""

    HOLIDAYS = "holidays"
    PAUSES = "pauses"
    ACCRUALS = "accruals"
    CORRECTIONS = "corrections"
    ALL = "all"


MONTHS_BACK = 15
"""A year, and before it the months that its first baseline is measured over."""

MONTHS_AHEAD = 9
"""As long as a plan takes that is started now and runs in real time, with time for its owners to decide."""

BASELINE = timedelta(days=90)
"""The baseline window of a usual plan: what a rollout needs of the world before it begins."""


@app.command("import", epilog="Example: rollouts data import leads leads.csv.gz --mapping leads.yaml")
@command
async def import_(
    kind: Annotated[FactKind, typer.Argument(help="What the rows are.")],
    file: Annotated[Path, typer.Argument(help="CSV, plain or gzip.")],
    mapping: Annotated[Path, typer.Option("--mapping", help="How its columns become fields; see docs/data.md.")],
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the file if one row is bad.")] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Where bad rows go; default: FILE.rejects.csv beside it.")
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Import a file in one transaction; the same file twice changes nothing.

    Bad rows go to a reject file with line, column and reason, to be corrected and imported with the same mapping.
    """
    from store.events import settle_waiting
    from store.intake import IntakeError, IntakeLost, MappingRefused, import_file, load_mapping

    try:
        rules = load_mapping(mapping)
        async with connection(Place(home)) as opened:
            with bar(file.name, of_bytes=True) as progress:
                report = await import_file(
                    opened, kind, file, rules, strict=strict, reject_path=rejects, progress=progress
                )
            await settle_waiting(opened, kind)
    except MappingRefused as problem:
        raise CliError("\n".join(problem.problems), Exit.BAD_INPUT) from problem
    except IntakeError as problem:
        code = Exit.UNAVAILABLE if isinstance(problem, IntakeLost) else Exit.BAD_INPUT
        raise CliError(str(problem), code) from problem
    if report.rejected:
        listed = "\n  ".join(report.first_reasons)
        bad = many(report.rejected, "bad row is", "bad rows are")
        say(f"{bad} in {report.reject_file}; the first of them:\n  {listed}")
    if output is Format.JSON:
        emit_json("import", report.model_dump(mode="json"))
        return
    show(
        f"{report.rows_read:,} {_rows(report.rows_read)} read: {report.inserted:,} new, {report.updated:,} changed, "
        f"{report.unchanged:,} unchanged, {report.skipped:,} skipped, {report.rejected:,} rejected."
    )


@app.command(epilog="Example: rollouts data generate --seed 7 --with holidays --with pauses")
@command
async def generate(
    seed: Annotated[int, typer.Option(help="The same seed, start and size give the same world.")] = 1,
    partners: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many partners.")] = 240,
    months: Annotated[int, typer.Option(min=1, max=60, help="Length of the world.")] = MONTHS_BACK + MONTHS_AHEAD,
    leads: Annotated[float, typer.Option(min=0, max=10_000, help="Leads of an average partner in 28 days.")] = 11,
    deals: Annotated[float, typer.Option(min=0, max=10_000, help="Deals of an average partner in 28 days.")] = 10,
    sales: Annotated[float, typer.Option(min=0, max=10_000, help="Sales of an average partner in 28 days.")] = 7,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DATE", help=f"First day; default: {MONTHS_BACK} months before this month."
        ),
    ] = None,
    life: Annotated[
        list[Life] | None,
        typer.Option(
            "--with",
            help="What real sources have and the usual world lacks: days off that move deadlines, pauses of leads, "
            "MDF earned with sales, facts told wrong and corrected later. May be given several times.",
        ),
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Fill an empty store with a made-up partner world whose numbers vary as real ones do.

    By default it reaches from 15 months back to 9 months ahead, so that a plan started now finds current facts for as
    long as it runs, and a plan over the past year its baselines. What lies ahead stays unknown until its time comes.
    It is written in one transaction, at any size: Ctrl-C leaves nothing behind.
    """
    first = start.date() if start else first_day(datetime.now(UTC).date())
    spec = {"seed": seed, "partners": partners, "months": months, "leads": leads, "deals": deals, "sales": sales}
    with bar(f"{partners} partners, {months} months") as progress:
        async with connection(Place(home)) as opened:
            report = await _generate(opened, progress, start=first, further=_further(life or []), **spec)
    if output is Format.JSON:
        emit_json("world", report.model_dump(mode="json"))
        return
    anew = sum(report.amended.values())
    show(
        f"{report.partners:,} partners, {sum(report.rows.values()):,} facts, {report.starts_at:%Y-%m-%d} to "
        f"{report.ends_at:%Y-%m-%d}{f'; {anew:,} times one of them says something else later' if anew else ''}."
    )
    for line in _usable(report.starts_at, report.ends_at, datetime.now(UTC)):
        say(line)


def _further(life: list[Life]) -> frozenset[Any]:
    """Members of `store.world_spec.Further`, which no command loads that does not need it."""
    from store.world_spec import Further

    return frozenset(Further) if Life.ALL in life else frozenset(Further(one.value) for one in life)


def first_day(today: date) -> date:
    """Where the world begins unless told otherwise."""
    from store.world_spec import add_months

    first = add_months(today.replace(day=1), -MONTHS_BACK)
    # The months before May are short: a year ago less a baseline would be the day before the world begins.
    return first if first + BASELINE <= today - timedelta(days=365) else add_months(first, -1)


def _usable(starts: datetime, ends: datetime, now: datetime) -> list[str]:
    """What can be done with a world that runs from and to these moments."""
    earliest = starts + BASELINE
    lines = [
        f"Over the past: rollouts start -f PLAN --clock-start {earliest:%Y-%m-%d} --speed 86400, or any later day."
    ]
    if not earliest <= now < ends:
        lines.append("A plan that is started without --clock-start finds no current facts in it.")
    return lines


async def fill(dsn: str, **spec: Any) -> Any:
    """Generate a world into the store of the demonstration or of a bench.

    Raises:
        CliError: there is one already.
    """
    import asyncpg

    from store.pool import prepare_connection

    opened = await asyncpg.connect(dsn)
    try:
        await prepare_connection(opened)
        return await _generate(opened, None, **spec)
    finally:
        await opened.close()


async def _generate(opened: Any, progress: Advance | None, **spec: Any) -> Any:
    from store.currency import reporting_currency
    from store.world import WorldExistsError, WorldSpec, generate_world, tidy_world
    from store.world_partners import HOME

    found = await reporting_currency(opened)
    if found != HOME:
        told = f"A made-up world has rates into {HOME} alone, and money is reported in {found}"
        raise CliError(f"{told}; `rollouts data currency {HOME}` first.", Exit.REFUSED)
    try:
        report = await generate_world(opened, WorldSpec(**spec), progress)
    except WorldExistsError as problem:
        raise CliError(
            "The store holds a made-up world already, and two would mix; use an empty one: another --dir.",
            Exit.REFUSED,
        ) from problem
    await tidy_world(opened)
    return report


def _rows(number: int) -> str:
    return "row" if number == 1 else "rows"
