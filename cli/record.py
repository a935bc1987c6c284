"""record and next-cycle: what a rollout leaves behind, as a decision record and as the draft of the next plan."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show
from cli.rollouts import Name
from models.base import short

if TYPE_CHECKING:
    from store.hindsight import Hindsight


class Language(StrEnum):
    EN = "en"
    JA = "ja"


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts record gold-tier-rebate --out record --language ja")(record)
    app.command("next-cycle", epilog="Example: rollouts next-cycle gold-tier-rebate -O gold-tier-rebate-2.yaml")(
        next_cycle
    )


@command
async def record(
    name: Name,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write; it must not exist.")],
    language: Annotated[Language, typer.Option(help="The record's language; what people wrote stays as it is.")] = (
        Language.EN
    ),
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that exists.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Write the decision record of a rollout, whether or not it is over: Markdown, one page of HTML that prints on A4,
    the charts, and an entry for each gate. It is made of the store alone, and the same store gives the same text.
    """
    from learning.record import decision_record
    from record.writing import files

    found = await _hindsight(name, Place(home))
    try:
        made = decision_record(found.plan, found.log, found.readings)
    except ValueError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    written = files(made, language.value)
    write_folder(folder, written, force=force)
    if output is Format.JSON:
        emit_json("record", {"rollout": name, "folder": str(folder), "files": sorted(written)})
        return
    show(f"{folder}: record.md, record.html and {len(made.gates)} gate entries")
    say("Print record.html, or keep record.md beside your other decisions.")


async def _hindsight(name: str, place: Place) -> Hindsight:
    from cli.database import connection
    from store.evidence import EvidenceChanged
    from store.hindsight import read_hindsight
    from store.rollouts import UnknownBaselines

    async with connection(place) as opened:
        try:
            found = await read_hindsight(opened, name)
        except (EvidenceChanged, UnknownBaselines) as problem:
            raise CliError(f"{problem}; nothing was written.") from problem
    if found is None:
        raise CliError(f"The store has no rollout {name}; `rollouts list` shows all.", Exit.BAD_INPUT)
    return found


def write_folder(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """All the files, or none of them; into a folder that exists only where that is asked for, and then file by file.

    Raises:
        CliError: the folder exists, or cannot be written.
    """
    if folder.exists() and not force:
        raise CliError(f"{folder} exists; --force writes into it.", Exit.BAD_INPUT)
    partial = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        for path, text in files.items():
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if not folder.exists():
            partial.replace(folder)
            return
        for path in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (partial / path).replace(folder / path)
    except OSError as problem:
        raise CliError(f"{folder} cannot be written: {problem.strerror or problem}.", Exit.BAD_INPUT) from problem
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial)


@command
async def next_cycle(
    name: Name,
    file: Annotated[
        Path | None, typer.Option("-O", "--file", help="Where to write the plan; default: standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Draft the plan of the next cycle from what this one taught; it is valid, and nothing starts it.

    Baselines come from accepted evidence alone: readings that were met, in phases that were passed, outside pauses and
    failed periods. Limits become stricter where that evidence bears it and never looser; a breach more is tolerated
    only where owners judged a pause a false alarm. The reason stands beside each.
    """
    from cli.database import connection
    from cli.plan import write
    from learning.accepted import NothingAccepted
    from learning.next_cycle import next_cycle as draft
    from record.plan_text import plan_text
    from store.rollouts import list_rollouts

    if file is not None and file.exists() and not force:
        raise CliError(f"{file} exists; --force writes over it.", Exit.BAD_INPUT)
    found = await _hindsight(name, Place(home))
    async with connection(Place(home)) as opened:
        taken = {one.key.rollout_id for one in await list_rollouts(opened)}
    try:
        made = draft(found.plan, found.log, found.readings, today=datetime.now(UTC).date(), taken=taken)
    except NothingAccepted as problem:
        raise CliError(f"{problem}; nothing was written.", Exit.BAD_INPUT) from problem
    except ValueError as problem:
        raise CliError(f"What {name} leaves does not make a valid plan: {problem}", Exit.BAD_INPUT) from problem
    text = plan_text(made.plan, made.head, made.reasons)
    if file is not None:
        write(file, text, force=force)
    if output is Format.JSON:
        emit_json(
            "next-cycle",
            {
                "rollout": name,
                "id": made.plan.id,
                "digest": made.plan.digest,
                "file": str(file) if file else None,
                "reasons": {path: list(told) for path, told in made.reasons.items()},
                "text": text,
            },
        )
    elif file is None:
        typer.echo(text, nl=False)
    else:
        show(f"{file}: {made.plan.id}, plan {short(made.plan.digest)}")
        say(f"Nothing has started. Edit it, then `rollouts plan validate {file}`.")
