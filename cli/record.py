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
    from cli.hindsight import Found
    from models.plan import RolloutPlan

Fresh = Annotated[bool, typer.Option("--fresh", help="Make it anew, also where one was kept when the rollout ended.")]


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
    fresh: Fresh = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Write the decision record of a rollout, whether or not it is over: Markdown, one page of HTML that prints on A4,
    the charts, and an entry for each gate. It is made of the store alone, and the same store gives the same text.

    A rollout that has ended kept its record: that one is written, after it was held against the digests in the log.
    Where it does not state what the same entries give today, that is said.
    """
    from cli.hindsight import about, hindsight

    found = await hindsight(name, Place(home), fresh=fresh)
    written = _written(found, language.value, fresh=fresh)
    write_folder(folder, written, force=force)
    kept = about(found, "record", f"{language.value}/record.md", fresh=fresh)
    if output is Format.JSON:
        emit_json("record", {"rollout": name, "folder": str(folder), "files": sorted(written), "kept": kept})
        return
    gates = sum(one.startswith("gates/") for one in written)
    show(f"{folder}: record.md, record.html and {gates} gate entries")
    say("Print record.html, or keep record.md beside your other decisions.")


def _written(found: Found, language: str, *, fresh: bool) -> dict[str, bytes]:
    """The files of the record: those that were kept, or anew."""
    from learning.record import decision_record
    from record.writing import files

    if found.kept is not None and not fresh:
        folder = f"{language}/"
        whole = found.kept.files.items()
        return {path.removeprefix(folder): content for path, content in whole if path.startswith(folder)}
    left = found.left
    try:
        made = decision_record(left.plan, left.log, left.readings)
    except ValueError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    return {path: text.encode() for path, text in files(made, language).items()}


def write_folder(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """All the files, or none of them; into a folder that exists only where that is asked for, and then file by file.

    Raises:
        CliError: the folder exists, or cannot be written.
    """
    if folder.exists() and not force:
        raise CliError(f"{folder} exists; --force writes into it.", Exit.BAD_INPUT)
    partial = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        for path, content in files.items():
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
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
    fresh: Fresh = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Draft the plan of the next cycle from what this one taught; it is valid, and nothing starts it.

    Baselines come from accepted evidence alone: readings that were met, in phases that were passed, outside pauses and
    failed periods. Limits and margins become stricter where that evidence bears it and never looser; a breach more is
    tolerated only where owners judged a pause a false alarm. The reason stands beside each. A rollout that has ended
    kept its draft: that one is written, as `record` does with the record.
    """
    from cli.hindsight import about, hindsight
    from cli.plan import write
    from models.kept import DRAFT

    if file is not None and file.exists() and not force:
        raise CliError(f"{file} exists; --force writes over it.", Exit.BAD_INPUT)
    found = await hindsight(name, Place(home), fresh=fresh)
    text, plan, reasons = _drafted(found, fresh=fresh)
    if file is not None:
        write(file, text, force=force)
    kept = about(found, "draft", DRAFT, fresh=fresh)
    if plan.id in found.taken:
        say(f"There is a rollout {plan.id} already: give the draft another id before it is started.")
    if output is Format.JSON:
        told = {"id": plan.id, "digest": plan.digest, "file": str(file) if file else None}
        why = {path: list(told) for path, told in reasons.items()}
        emit_json("next-cycle", {"rollout": name, **told, "reasons": why, "text": text, "kept": kept})
    elif file is None:
        typer.echo(text, nl=False)
    else:
        show(f"{file}: {plan.id}, plan {short(plan.digest)}")
        say(f"Nothing has started. Edit it, then `rollouts plan validate {file}`.")


def _drafted(found: Found, *, fresh: bool) -> tuple[str, RolloutPlan, Mapping[str, tuple[str, ...]]]:
    """Text, plan and reasons of the draft: the one that was kept, or anew."""
    from cli.planfile import PlanError, parse_plan
    from learning.accepted import NothingAccepted
    from learning.next_cycle import next_cycle as draft
    from models.kept import DRAFT
    from record.keeping import draft_text

    left, kept = found.left, found.kept
    try:
        if kept is None or fresh or DRAFT not in kept.files:
            today = datetime.now(UTC).date()
            made = draft(left.plan, left.log, left.readings, today=today, taken=found.taken)
            return draft_text(made), made.plan, made.reasons
        text = kept.files[DRAFT].decode()
        try:
            plan = parse_plan(text, DRAFT)
        except PlanError as problem:
            told = f"This release cannot read the draft that was kept: {problem.problems[0]}; --fresh makes one anew."
            raise CliError(told, Exit.BAD_INPUT) from problem
        return text, plan, _reasons(found, text)
    except NothingAccepted as problem:
        raise CliError(f"{problem}; nothing was written.", Exit.BAD_INPUT) from problem
    except ValueError as problem:
        told = f"What {left.plan.id} leaves does not make a valid plan: {problem}"
        raise CliError(told, Exit.BAD_INPUT) from problem


def _reasons(found: Found, text: str) -> Mapping[str, tuple[str, ...]]:
    """The reasons in the draft that was kept, as data; none where they cannot be made out any more."""
    from learning.accepted import NothingAccepted
    from record.keeping import draft_text, drafted

    left, entries = found.left, found.kept.named.said.entries if found.kept else 0
    try:
        made = drafted(left.plan, left.log[:entries], left.readings)
    except (NothingAccepted, ValueError):
        return {}
    return made.reasons if draft_text(made) == text else {}
