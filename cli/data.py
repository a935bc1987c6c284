"""data import and generate: partner facts from files, or a seeded world to try things on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, err, say
from store.intake.kinds import FactKind

app = typer.Typer(help="Partner facts: import files, generate a world.", no_args_is_help=True)


@app.command("import", epilog="Example: rollouts data import leads leads.csv.gz --mapping leads.yaml")
@command
async def import_(
    kind: Annotated[FactKind, typer.Argument(help="What the rows are.")],
    file: Annotated[Path, typer.Argument(help="CSV, plain or gzip.")],
    mapping: Annotated[Path, typer.Option("--mapping", help="How its columns become fields.")],
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the file if one row is bad.")] = False,
    rejects: Annotated[Path | None, typer.Option("--rejects", help="Where bad rows go.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Import a file in one transaction; the same file twice changes nothing. Bad rows go to a reject file."""
    from store.intake import IntakeError, MappingRefused, import_file, load_mapping

    try:
        rules = load_mapping(mapping)
        with _bar(file.name) as progress:
            task = progress.add_task(file.name, total=None)
            report = await import_file(
                Place(home).dsn,
                kind,
                file,
                rules,
                strict=strict,
                reject_path=rejects,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    except MappingRefused as problem:
        raise CliError("\n".join(str(one) for one in problem.problems), Exit.BAD_INPUT) from problem
    except (IntakeError, FileNotFoundError) as problem:
        raise CliError(str(problem), Exit.BAD_INPUT) from problem
    if output is Format.JSON:
        emit_json("import", report.model_dump(mode="json"))
        return
    say(
        f"{report.rows_read} rows read: {report.inserted} new, {report.updated} changed, {report.unchanged} unchanged, "
        f"{report.skipped} skipped, {report.rejected} rejected"
        + (f"; see {report.reject_file}" if report.reject_file else "")
    )


@app.command(epilog="Example: rollouts data generate --seed 7 --partners 240 --start 2025-01-01")
@command
async def generate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    partners: Annotated[int, typer.Option(min=1, max=5000)] = 240,
    months: Annotated[int, typer.Option(min=1, max=60)] = 15,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; default a year ago.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Fill an empty store with a made-up partner world whose numbers vary as real ones do."""
    first = start.date() if start else date(datetime.now(UTC).year - 1, 1, 1)
    report = await fill(Place(home).dsn, seed=seed, partners=partners, months=months, start=first)
    if output is Format.JSON:
        emit_json("world", report.model_dump(mode="json"))
    else:
        say(
            f"{report.partners} partners, {sum(report.rows.values())} facts, {report.starts_at:%Y-%m-%d} to "
            f"{report.ends_at:%Y-%m-%d}"
        )


async def fill(dsn: str, **spec: Any) -> Any:
    """Generate a world into the store.

    Raises:
        CliError: there is one already.
    """
    import asyncpg

    from store.pool import prepare_connection
    from store.world import WorldExistsError, WorldSpec, generate_world

    connection = await asyncpg.connect(dsn)
    try:
        await prepare_connection(connection)
        return await generate_world(connection, WorldSpec(**spec))
    except WorldExistsError as problem:
        raise CliError(str(problem), Exit.REFUSED) from problem
    finally:
        await connection.close()


def _bar(name: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
