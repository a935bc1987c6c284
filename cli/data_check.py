"""data check: facts that contradict each other, which nobody could refuse, for they come in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.database import connection
from cli.history import MOMENTS
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show
from cli.progress import bar
from models.contradiction import MEANINGS, Contradiction
from store.intake.kinds import FactKind

if TYPE_CHECKING:
    from store.contradictions import Finding

_MOST = 10_000
"""How many facts of one contradiction are named at most: they are kept in memory."""


@command
async def check(
    only: Annotated[
        list[Contradiction] | None,
        typer.Option(metavar="NAME", help="Only this contradiction, as docs/data.md names it; may be given again."),
    ] = None,
    without: Annotated[
        list[Contradiction] | None,
        typer.Option(metavar="NAME", help="All but this one, such as what is meant so; may be given again."),
    ] = None,
    kind: Annotated[
        list[FactKind] | None,
        typer.Option(metavar="KIND", help="Only contradictions of this kind of facts; may be given again."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only facts of this source system; may be given again.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, max=_MOST, help="How many facts of each contradiction to name.")] = 5,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=[*MOMENTS, "%Y-%m-%dT%H:%M:%S.%fZ"],
            metavar="DATE",
            help="By what was known then (UTC); default: now.",
        ),
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Facts that contradict each other: how many of which source, the first of them, and which numbers rest on them.

    What a row can never rightly say is refused when it comes. Facts come in any order, so what only another fact
    contradicts is taken, and found here. Exit code 0 if nothing is found, 9 if something is. It reads whole tables, and
    changes nothing.
    """
    from store.contradictions import find, known_sources

    asked = _asked(only or (), without or (), kind or ())
    moment = as_of.replace(tzinfo=UTC) if as_of else datetime.now(UTC)
    found = []
    async with connection(Place(home)) as opened:
        if source and (unknown := sorted(set(source) - (known := await known_sources(opened)))):
            told = f"found {', '.join(map(repr, unknown))}; known: {', '.join(sorted(known)) or 'none'}"
            raise CliError(f"--source: {told}.", Exit.BAD_INPUT)
        with bar(f"{len(asked)} contradictions") as progress:
            for done, one in enumerate(asked, 1):
                finding = await find(opened, one, moment, sources=source or (), limit=limit)
                progress(done, len(asked))
                if finding.facts:
                    found.append(finding)
    if output is Format.JSON:
        emit_json("contradictions", _document(found, asked, moment))
    else:
        _print(found, len(asked))
    return Exit.FOUND if found else Exit.OK


def _asked(
    only: Sequence[Contradiction], without: Sequence[Contradiction], kinds: Sequence[FactKind]
) -> list[Contradiction]:
    """What to look for; never nothing, for that would find nothing.

    Raises:
        CliError: the options leave none.
    """
    of_kinds = [one for one in Contradiction if not kinds or MEANINGS[one].kind in kinds]
    found = [one for one in of_kinds if (not only or one in only) and one not in without]
    if not found:
        some = ", ".join(sorted({meaning.kind for meaning in MEANINGS.values()}))
        told = f"--only, --without and --kind leave none to look for; kinds that have some: {some}."
        raise CliError(told, Exit.BAD_INPUT)
    return found


def _document(found: Sequence[Finding], asked: Sequence[Contradiction], moment: datetime) -> dict[str, Any]:
    from store.contradictions import read_by

    return {
        "as_of": moment.isoformat().replace("+00:00", "Z"),
        "looked_for": [one.value for one in asked],
        "facts": sum(one.facts for one in found),
        "found": [
            {
                "contradiction": one.contradiction.value,
                **MEANINGS[one.contradiction]._asdict(),
                "read_by": read_by(one.contradiction),
                "facts": one.facts,
                "sources": dict(one.sources),
                "first": [fact.model_dump(mode="json") for fact in one.first],
            }
            for one in found
        ],
    }


def _print(found: Sequence[Finding], asked: int) -> None:
    from store.contradictions import read_by

    if not found:
        show(f"No contradiction found, of {asked} looked for.")
    for one in found:
        meaning = MEANINGS[one.contradiction]
        sources = ", ".join(f"{facts:,} of {source}" for source, facts in sorted(one.sources.items()))
        show(f"{one.contradiction}: {one.facts:,} {meaning.kind} ({sources})")
        show(f"  {meaning.says}")
        show(f"  so: {meaning.moves}")
        if metrics := read_by(one.contradiction):
            show(f"  read by: {', '.join(metrics)}")
        for fact in one.first:
            of = f"{fact.source} {fact.source_id}, partner {fact.partner_id}"
            show(f"  - {of}: {fact.found}; expected: {fact.expected}")
        if one.first and one.facts > len(one.first):
            show(f"  - and {one.facts - len(one.first):,} more (--only {one.contradiction} --limit N)")
    if found:
        say(f"{len(found)} of {asked} contradictions found.")
