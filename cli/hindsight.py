"""What record and next-cycle start from: what a rollout left, and what it kept of itself when it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cli.home import Place
from cli.output import CliError, Exit, complain, say
from models.base import short

if TYPE_CHECKING:
    from record.keeping import Compared
    from store.hindsight import Hindsight
    from store.kept import KeptRecord


class Found(NamedTuple):
    """`kept` is None where nothing was kept; `changed` says why what was kept cannot be shown any more."""

    left: Hindsight
    kept: KeptRecord | None
    changed: str | None
    taken: frozenset[str]


async def hindsight(name: str, place: Place, *, fresh: bool) -> Found:
    """Everything that a rollout left, and the ids that rollouts have.

    Args:
        fresh: what was kept is not asked for, so it may be gone.

    Raises:
        CliError: nobody knows the rollout, its evidence was changed, or what it kept was.
    """
    from cli.database import connection
    from store.evidence import EvidenceChanged
    from store.hindsight import read_hindsight
    from store.kept import KeptChanged, read_kept
    from store.rollouts import UnknownBaselines, list_rollouts

    kept, changed = None, None
    async with connection(place) as opened:
        try:
            found = await read_hindsight(opened, name)
        except (EvidenceChanged, UnknownBaselines) as problem:
            raise CliError(f"{problem}; nothing was written.") from problem
        if found is None:
            raise CliError(f"The store has no rollout {name}; `rollouts list` shows all.", Exit.BAD_INPUT)
        try:
            kept = await read_kept(opened, found.key, found.log)
        except KeptChanged as problem:
            if not fresh:
                raise CliError(f"{problem}; nothing was written. --fresh makes it anew of the log.") from problem
            changed = str(problem)
        taken = frozenset(one.key.rollout_id for one in await list_rollouts(opened))
    return Found(found, kept, changed, taken)


def comparison(found: Found) -> Compared:
    """How what was kept compares with what is made anew of the same entries."""
    from record.keeping import Compared, compared

    if found.kept is None:
        return Compared(found.changed)
    left = found.left
    return compared(found.kept.files, left.plan, left.log[: found.kept.named.said.entries], left.readings)


def about(found: Found, what: str, path: str, *, fresh: bool) -> dict[str, Any] | None:
    """Tell that something was kept, and whether it says what it would today; the same as data.

    Args:
        what: "record" or "draft"; `path` is its main file.
    """
    if found.kept is None:
        if found.changed:
            complain(f"What was kept is not shown: {found.changed}.")
        return None
    named, (differs, later) = found.kept.named, comparison(found)
    digest = named.said.documents.get(path)
    if digest is None:
        say(f"No {what} was kept at the end: {named.said.no_draft or 'the log names none'}. This one is made anew.")
    elif fresh:
        say(
            f"Made anew. A {what} was kept at the end (entry {named.entry}, {path} {short(digest)}); "
            "without --fresh that one is written."
        )
    else:
        say(
            f"The {what} that was kept at the end, as of entry {named.said.entries}; entry {named.entry} of the log "
            f"names it: {path} has the SHA-256 {digest}. --fresh makes one anew."
        )
    if later:
        say(f"Readings of before the end that came after it was kept, and are none of its: {later}.")
    if differs:
        complain(f"What was kept and what is made anew of the same entries differ: {differs}.")
    return {
        "entry": named.entry,
        "entries": named.said.entries,
        "sha256": digest,
        "files": named.said.files,
        "shown": digest is not None and not fresh,
        "differs": differs,
        "later_readings": later,
    }
