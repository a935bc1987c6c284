"""db migrate, status and grant, and the one way in which commands open PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, DSN, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, one_line, say, show, table

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(help="The schema of the facts and of the decision log.", no_args_is_help=True)

CONNECT_SECONDS = 5.0


@asynccontextmanager
async def connection(place: Place) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection as the stores expect it.

    Raises:
        CliError: PostgreSQL cannot be reached, or the schema is not there.
    """
    import asyncpg

    from store.pool import prepare_connection

    opened = await _open(place.dsn)
    try:
        await prepare_connection(opened)
        yield opened
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError) as problem:
        raise CliError(f"The schema is not there ({problem}); run `rollouts db migrate`.") from problem
    finally:
        await opened.close()


async def _open(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """Connect, or say in one sentence why not; never with the password."""
    import asyncpg

    settings = {"timezone": "UTC", "application_name": "rollouts"}
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=settings)
    except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
        why = one_line(str(problem))[:200] or "no answer"
        raise CliError(
            f"PostgreSQL cannot be reached at {address(dsn)} ({why}); try `rollouts doctor`.", Exit.UNAVAILABLE
        ) from problem
    except (asyncpg.InterfaceError, ValueError, OverflowError) as problem:
        raise CliError(
            f"{DSN} does not name a PostgreSQL; write postgresql://user:password@host:port/name.", Exit.BAD_INPUT
        ) from problem


async def reachable(place: Place) -> None:
    """Make sure that PostgreSQL answers.

    Raises:
        CliError: it does not.
    """
    await (await _open(place.dsn)).close()


def address(dsn: str) -> str:
    """Host, port and name: a dsn without its user and password."""
    return dsn.partition("?")[0].rpartition("@")[2].rpartition("//")[2] or "its default place"


@app.command(epilog="Example: rollouts db migrate")
@command
async def migrate(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """Apply the migrations that are not applied yet; forward only, each whole or not at all."""
    from store.migrate import MigrationError
    from store.migrate import migrate as apply

    place = Place(home)
    await reachable(place)
    try:
        applied = await apply(place.dsn)
    except MigrationError as problem:
        raise CliError(str(problem)) from problem
    if output is Format.JSON:
        emit_json("migrated", {"applied": applied})
        return
    for name in applied:
        show(f"applied {name}")
    show("The schema is current.")


@app.command(epilog="Example: rollouts db grant rollouts_worker --create")
@command
async def grant(
    role: Annotated[str, typer.Argument(help="The role that workers connect as.")],
    create: Annotated[bool, typer.Option("--create", help="Make the role, and print its password, this once.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Give a role exactly what a worker needs: it adds to the record, and can change or delete nothing of it.

    Run it as the role that owns the tables, and again after every upgrade that brings migrations.
    """
    from asyncpg import InsufficientPrivilegeError

    from store.grants import RoleRefused, create_role, grant_worker

    try:
        async with connection(Place(home)) as opened, opened.transaction():
            password = await create_role(opened, role) if create else None
            tables = await grant_worker(opened, role)
    except RoleRefused as problem:
        hint = "" if create else "; `--create` makes it" if str(problem).startswith("there is no") else ""
        raise CliError(f"{str(problem)[:1].upper()}{str(problem)[1:]}{hint}.", Exit.BAD_INPUT) from problem
    except InsufficientPrivilegeError as problem:
        raise CliError(f"Only who owns the tables can grant rights on them ({problem}).", Exit.REFUSED) from problem
    say(f"{role} may use {tables} tables as a worker does; the record it can only add to.")
    if output is Format.JSON:
        emit_json("grants", {"role": role, "tables": tables, "password": password})
    elif password:
        show(password)


@app.command(epilog="Example: rollouts db status -o json")
@command
async def status(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> int:
    """Which migrations are applied; exit code 1 if one is not."""
    from store.migrate import MigrationError, MigrationState
    from store.migrate import status as read

    place = Place(home)
    await reachable(place)
    try:
        found = await read(place.dsn)
    except MigrationError as problem:
        raise CliError(str(problem)) from problem
    if output is Format.JSON:
        emit_json(
            "migrations",
            [
                {
                    "name": one.name,
                    "state": one.state.value,
                    "applied_at": one.applied_at.isoformat() if one.applied_at else None,
                }
                for one in found
            ],
        )
    else:
        rows = [
            (one.name, one.state.value, f"{one.applied_at:%Y-%m-%d %H:%M}" if one.applied_at else "") for one in found
        ]
        table("migration", "state", "applied", rows=rows)
    return Exit.OK if all(one.state is MigrationState.APPLIED for one in found) else Exit.ERROR
