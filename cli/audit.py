"""audit export, verify and prove: what an auditor is given, and what they do with it without trusting the giver."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, complain, emit_json, err, one_line, say, show
from models.base import many

if TYPE_CHECKING:
    from audit.exhibit import Seen, Trusted
    from audit.findings import Finding, Gap, Report
    from console.gateway import Gateway

app = typer.Typer(help="Bundles for auditors: made, verified offline, and one entry proven.", no_args_is_help=True)

SHOWN = 20
"""Findings that are told beside the first, unless all are asked for."""

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        "-k",
        help="A pinned key, as often as needed: a verifier key (name+id+base64), a file of such keys, or a file of the "
        "public keys of decisions (JSON). Keys inside the bundle are trusted by nobody.",
    ),
]


Kept = Annotated[
    list[str] | None,
    typer.Option(
        "--seen",
        metavar="SIZE:ROOT",
        help="A checkpoint seen elsewhere, as often as needed: how many entries, and the root, as letters name them; "
        "or a file with a whole checkpoint. The bundle's log must be the one that it was over.",
    ),
]


@app.command(epilog="Example: rollouts audit export gold-tier-rebate --out gold-tier-rebate.zip")
@command
async def export(
    name: Annotated[str, typer.Argument(help="The rollout.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="A .zip, or a folder that does not exist yet; default: NAME.zip.")
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Write everything an auditor needs of a rollout into one bundle.

    Plan, evidence, the decision log as JSON lines and as text, its signed checkpoints, public keys, and the history of
    each run. A fresh checkpoint is asked for, so that the whole log is covered.
    """
    import hashlib

    from audit.bundle import MANIFEST, zipped
    from cli.audit_export import gather
    from cli.database import connection
    from cli.record import write_folder

    target = out or Path(f"{name}.zip")
    if target.exists():
        raise CliError(f"{target} exists already; name another file with --out.", Exit.BAD_INPUT)
    place = Place(home)
    gateway, problem = await _gateway(place)
    async with connection(place) as opened:
        found = await gather(opened, gateway, name)
    if problem:
        say(f"Temporal cannot be asked, so only histories that were kept are in it: {problem}")
    if target.suffix == ".zip":
        _write(target, zipped(found.files))
    else:
        write_folder(target, found.files, force=False)
    digest = hashlib.sha256(found.files[MANIFEST]).hexdigest()
    left = found.entries - found.covered
    if left:
        say(
            f"The newest checkpoint covers {found.covered} of {_entries(found.entries)}; a fresh one was wished for, "
            "and no worker with the key of the log wrote it in time."
        )
    if found.no_history:
        say(f"The bundle has no history: {found.no_history}.")
    if output is Format.JSON:
        facts = {"bundle": str(target), "manifest": digest, "files": len(found.files)}
        emit_json("bundle", {**facts, "entries": found.entries, "covered": found.covered})
    else:
        files, covered = many(len(found.files), "file"), f"{found.covered} of {_entries(found.entries)}"
        show(f"{target}: {files}, {covered} under a checkpoint.")
        say(f"SHA-256 of its manifest: {digest}. Keep it elsewhere, if you like; `rollouts audit verify` needs keys.")
    return Exit.OK


@app.command(epilog="Example: rollouts audit verify gold-tier-rebate.zip --key log-keys.txt --key decision-keys.json")
@command
async def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle: a .zip or a folder.")],
    key: Keys = None,
    seen: Kept = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            help="What may be left unproven, as often as needed: uncovered, unsigned, decision-keys, history, "
            "unanswered, verdicts, looks, replay, plan, text, letters.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every finding, not only the first ones.")] = False,
    output: Output = Format.TABLE,
) -> int:
    """Say in one line what a bundle proves, or name the first thing that is wrong with it.

    It needs no server, and believes nothing but the keys given with --key. Exit code 0: all is proven; 1: something is
    wrong; 7: nothing is wrong, but not all could be proven, and --allow does not name what is missing.
    """
    import audit.verify
    from cli.audit_export import release
    from cli.audit_replay import replay

    trusted, allowed = _trusted(key or []), _allowed(allow or [])
    trusted = trusted.model_copy(update={"seen": tuple(_seen(one) for one in seen or [])})
    files = _read(bundle)  # once: what is replayed is what was looked at
    report = audit.verify.verify(files, trusted, release())
    if not report.wrong:
        report = audit.verify.with_replays(report, await replay(files, release()))
    if output is Format.JSON:
        emit_json("verification", _as_json(report, allowed))
    else:
        _tell(report, everything=everything)
    if report.wrong:
        return Exit.ERROR
    return Exit.UNPROVEN if report.gaps(allowed) else Exit.OK


@app.command(epilog="Example: rollouts audit prove gold-tier-rebate.zip 12 --key log-keys.txt --out entry-12.proof")
@command
async def prove(
    source: Annotated[Path, typer.Argument(help="A bundle; with --check the proof of an entry.")],
    entry: Annotated[int | None, typer.Argument(help="The number of the entry in the log.", min=1)] = None,
    key: Keys = None,
    check: Annotated[bool, typer.Option("--check", help="Check a proof that somebody gave you.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Where the proof goes; default: stdout.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Prove one entry without showing the others: the entry, its path in the tree, and a signed checkpoint.

    Whoever has the key can check it with --check, and needs nothing else.
    """
    if check:
        _check_proof(source, _trusted(key or []), output)
        return
    if entry is None:
        raise CliError("Name the entry to prove by its number in the log.", Exit.BAD_INPUT)
    proof = _proof(source, entry, _trusted(key or []))
    if out is None:
        sys.stdout.write(proof.decode())
        return
    if out.exists():
        raise CliError(f"{out} exists already; name another file with --out.", Exit.BAD_INPUT)
    _write(out, proof)
    say(f"{out} proves entry {entry}; `rollouts audit prove --check {out} --key KEY` checks it.")


def _proof(bundle: Path, entry: int, trusted: Trusted) -> bytes:
    from audit.bundle import LOG
    from audit.checkpoint import open_own
    from audit.errors import NotSound
    from audit.proof import write_proof

    files = _read(bundle)
    leaves = files.get(LOG, b"").split(b"\n")[:-1]
    for path in sorted((one for one in files if one.startswith("checkpoints/")), reverse=True):
        try:
            checkpoint = open_own(files[path], trusted.log)
            return write_proof(leaves, entry, files[path], checkpoint)
        except NotSound as problem:
            raise CliError(f"{bundle}, {path}: {problem}.") from problem
    raise CliError(f"{bundle} has no checkpoint, so no entry of it can be proven.")


def _check_proof(file: Path, trusted: Trusted, output: Format) -> None:
    from audit.errors import NotSound
    from audit.proof import LARGEST, check_proof

    try:
        leaf, checkpoint = check_proof(_bytes(file, LARGEST), trusted.log)
    except NotSound as problem:
        raise CliError(f"NOT PROVEN: {file}: {problem}.") from problem
    if output is Format.JSON:
        emit_json("proof", {**leaf.model_dump(mode="json"), "origin": checkpoint.origin, "size": checkpoint.size})
        return
    show(f"Proven: entry {leaf.sequence} of {leaf.rollout} stands in the log of {_entries(checkpoint.size)}.")
    show(str(leaf.entry.get("message")))


async def _gateway(place: Place) -> tuple[Gateway | None, str | None]:
    from cli.connect import open_gateway
    from console.errors import GatewayError

    try:
        return await open_gateway(place), None
    except (GatewayError, CliError) as problem:
        return None, str(problem)


def _trusted(given: Sequence[str]) -> Trusted:
    """The pinned keys.

    Raises:
        CliError: one is none, or there is no key of checkpoints among them.
    """
    from audit.errors import NotSound
    from audit.exhibit import Trusted
    from audit.notes import VerifierKey, read_vkey, read_vkeys
    from console.signing import read_public
    from models.claims import PublicKey
    from worker.settings import SettingsError

    log: list[VerifierKey] = []
    decisions: list[PublicKey] = []
    for one in given:
        try:
            if one.count("+") >= 2 and not _is_file(one):
                log.append(read_vkey(one))
                continue
            text = _bytes(Path(one), 1_000_000).decode(errors="replace")
            if text.lstrip().startswith("{"):
                decisions.extend(read_public(Path(one)))
            else:
                log.extend(read_vkeys(text))
        except (NotSound, SettingsError) as problem:
            raise CliError(f"--key {one}: {problem}.", Exit.BAD_INPUT) from problem
    if not log:
        raise CliError(
            "Pin the key of the checkpoints with --key: a verifier key, or a file of them. The ones in the bundle may "
            "be anybody's; `rollouts keys log list` shows those of your installation.",
            Exit.BAD_INPUT,
        )
    return Trusted(log=tuple(log), decisions=tuple(decisions))


def _is_file(given: str) -> bool:
    """Whether a word names a file; one that no file system could name does not."""
    try:
        return Path(given).is_file()
    except (OSError, ValueError):
        return False


def _seen(given: str) -> Seen:
    """A checkpoint that somebody has kept.

    Raises:
        CliError: it is none.
    """
    from audit.checkpoint import read_checkpoint
    from audit.errors import NotSound
    from audit.exhibit import Seen
    from audit.notes import LARGEST, read_note
    from audit.tree import SIZE

    try:
        if _is_file(given):
            said = read_checkpoint(read_note(_bytes(Path(given), LARGEST)).text)
            return Seen(size=said.size, root=said.root)
        size, _, root = given.partition(":")
        found = base64.b64decode(root, validate=True)
        if not size.isdecimal() or len(found) != SIZE:
            raise NotSound(f"neither a file nor SIZE:ROOT, such as 40:{base64.b64encode(bytes(SIZE)).decode()}")
        return Seen(size=int(size), root=found)
    except (NotSound, ValueError) as problem:
        raise CliError(f"--seen {given}: {problem}.", Exit.BAD_INPUT) from problem


def _allowed(names: Sequence[str]) -> frozenset[Gap]:
    from audit.findings import Gap

    try:
        return frozenset(Gap(one) for one in names)
    except ValueError as problem:
        told = f"--allow takes {', '.join(Gap)}: {problem}"
        raise CliError(f"{told}.", Exit.BAD_INPUT) from problem


def _read(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle.

    Raises:
        CliError: there is none, or it cannot be read.
    """
    from audit.bundle import LARGEST, BundleError, unzipped

    try:
        if bundle.is_dir():
            return _folder(bundle)
        return unzipped(_bytes(bundle, LARGEST))
    except BundleError as problem:
        raise CliError(f"NOT PROVEN: {bundle}: {problem}.") from problem


def _folder(folder: Path) -> dict[str, bytes]:
    """The same of a folder; what is not a plain file is refused, so that no link leads out of it."""
    from audit.bundle import DEEPEST, LARGEST, LARGEST_FILE, BundleError, check_names

    try:
        paths = {path.relative_to(folder).as_posix(): path for path in _below(folder, DEEPEST)}
    except OSError as problem:
        raise BundleError(str(problem.filename), f"it cannot be read: {problem.strerror or problem}") from None
    check_names(paths)
    room, files = LARGEST, {}
    for name, path in paths.items():
        if path.is_symlink() or not path.is_file():
            raise BundleError(name, "it is no plain file")
        files[name] = _bytes(path, min(LARGEST_FILE, room))
        room -= len(files[name])
    return files


def _below(folder: Path, deep: int) -> Iterator[Path]:
    """What lies in a folder; one that lies deeper than those of a bundle is told of as a file would be."""
    for path in sorted(folder.iterdir()):
        if deep and path.is_dir() and not path.is_symlink():
            yield from _below(path, deep - 1)
        else:
            yield path


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            found = stream.read(most + 1)
    except OSError as problem:
        raise CliError(f"{path} cannot be read: {problem.strerror or problem}.", Exit.BAD_INPUT) from problem
    if len(found) > most:
        raise CliError(f"{path} has more than {most} bytes.", Exit.BAD_INPUT)
    return found


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise CliError(f"{path} cannot be written: {problem.strerror or problem}.", Exit.BAD_INPUT) from problem


def _tell(report: Report, *, everything: bool) -> None:
    if report.wrong:
        complain(one_line(report.line))
    else:
        show(report.line)
    rest: list[Finding] = [*report.wrong[1:], *(one for one in report.findings if one.gap is not None)]
    for one in rest if everything else rest[:SHOWN]:
        style = "red" if one.gap is None else "yellow"
        err.print(f"  {one_line(f'{one.check.value}: {one.sentence}')}", style=style, soft_wrap=True)
    if not everything and len(rest) > SHOWN:
        say(f"  and {len(rest) - SHOWN} more; --all shows them")


def _as_json(report: Report, allowed: frozenset[Gap]) -> dict[str, object]:
    findings = [{**one.model_dump(mode="json"), "sentence": one.sentence} for one in report.findings]
    return {
        "proven": not report.wrong and not report.gaps(allowed),
        "line": report.line,
        "numbers": report.proven.model_dump(mode="json"),
        "findings": findings,
    }


def _entries(number: int) -> str:
    return many(number, "entry", "entries")
