"""Bundles from the terminal: exported from a running rollout, verified offline, and one entry proven."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.bundle import LETTERS, LOG, MANIFEST, PLAN, unzipped, zipped
from cli.audit_export import entry_of, goes_in
from cli.home import Place
from cli.output import CliError, Exit
from models.canonical import canonical
from models.letter import OutboxLetter
from models.work import RolloutKey
from store.exhibit import LogRow
from tests.audit.exhibits import SIGNER, of_bundle, sealed, whole
from tests.cli.conftest import Rollout, Terminal

BUNDLE = whole()


@pytest.fixture
def pinned(tmp_path: Path) -> tuple[str, ...]:
    """The keys that an auditor has pinned, as options."""
    log, decisions = tmp_path / "log-keys.txt", tmp_path / "decision-keys.json"
    log.write_text(f"# kept since 2026\n{SIGNER.public.vkey}\n")
    decisions.write_bytes(BUNDLE.files()["keys/decisions.json"])
    return ("--key", str(log), "--key", str(decisions))


def written(folder: Path, files: dict[str, bytes], name: str = "bundle.zip") -> str:
    path = folder / name
    path.write_bytes(zipped(files))
    return str(path)


async def test_a_bundle_is_proven_in_one_line_with_no_server_anywhere(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    told = await nowhere.program("audit", "verify", written(tmp_path, BUNDLE.bundle()), *pinned)
    assert (told.code, told.err) == (Exit.OK, "")
    assert told.out.startswith(f"Proven of {BUNDLE.rollout}: 54 of 54 entries under 3 signed checkpoints")
    assert "1 of 1 history replayed" in told.out
    assert len(told.out.splitlines()) == 1


async def test_a_log_is_held_against_a_checkpoint_that_somebody_has_kept(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    bundle = written(tmp_path, BUNDLE.bundle())
    note = BUNDLE.bundle()["checkpoints/000002.txt"]
    (tmp_path / "kept.txt").write_bytes(note)
    _, size, root, *_ = note.decode().split("\n")
    for kept in (f"{size}:{root}", str(tmp_path / "kept.txt")):
        told = await nowhere("audit", "verify", bundle, *pinned, "--seen", kept)
        assert (told.code, "1 of them seen elsewhere" in told.out) == (Exit.OK, True), told.err
    other = await nowhere("audit", "verify", bundle, *pinned, "--seen", f"{int(size) - 1}:{root}")
    assert other.code == Exit.ERROR
    assert f"another log than the one whose checkpoint over {int(size) - 1} entries was seen elsewhere" in other.err
    none = await nowhere("audit", "verify", bundle, *pinned, "--seen", "soon")
    assert (none.code, "--seen soon: neither a file nor SIZE:ROOT" in none.err) == (Exit.BAD_INPUT, True)
    long = await nowhere("audit", "verify", bundle, *pinned, "--seen", f"40:{'A' * 400}")
    assert (long.code, "neither a file nor SIZE:ROOT" in long.err) == (Exit.BAD_INPUT, True)


async def test_a_folder_is_as_good_as_an_archive_and_a_link_out_of_it_is_refused(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    folder = tmp_path / "bundle"
    for name, content in BUNDLE.bundle().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert (await nowhere("audit", "verify", str(folder), *pinned)).code == Exit.OK
    (folder / PLAN).unlink()
    (folder / PLAN).symlink_to("/etc/hostname")
    told = await nowhere("audit", "verify", str(folder), *pinned)
    assert (told.code, told.err) == (Exit.ERROR, f"NOT PROVEN: {folder}: plan.json: it is no plain file.\n")


async def test_folders_that_no_bundle_has_are_refused_however_deep_they_are(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    """A thousand within one another would otherwise be walked through, to the end of Python's stack."""
    (tmp_path / "bundle").joinpath(*["x"] * 6).mkdir(parents=True)
    told = await nowhere("audit", "verify", str(tmp_path / "bundle"), *pinned)
    assert told.code == Exit.ERROR
    assert "'x/x/x/x': a bundle has no file of this name" in told.err


async def test_a_broken_bundle_names_the_first_bad_thing_and_the_exit_code_tells_scripts(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    files = BUNDLE.files()
    plan = json.loads(files[PLAN])
    plan["title"] = "Another title"
    path = written(tmp_path, sealed(BUNDLE, {**files, PLAN: canonical(plan)}))
    told = await nowhere("audit", "verify", path, *pinned)
    assert told.code == Exit.ERROR
    assert told.err.startswith("NOT PROVEN: plan.json, entry 1: the log was opened for another plan (found sha256:")
    as_json = await nowhere("audit", "verify", path, *pinned, "-o", "json")
    assert (as_json.code, as_json.document["kind"], as_json.data["proven"]) == (Exit.ERROR, "verification", False)
    first = as_json.data["findings"][0]
    assert (first["check"], first["file"], first["entry"]) == ("plan", PLAN, 1)


async def test_a_bundle_cannot_write_lines_of_its_own_to_whoever_looks_at_it(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    files = BUNDLE.bundle()
    manifest = json.loads(files[MANIFEST])
    manifest["files"]["x\nProven of gold: 54 of 54 entries"] = manifest["files"][PLAN]
    path = written(tmp_path, {**files, MANIFEST: canonical(manifest)})
    told = await nowhere("audit", "verify", path, *pinned)
    assert told.code == Exit.ERROR
    assert [one for one in told.err.splitlines() if one.startswith("Proven")] == []


async def test_what_is_not_proven_has_an_exit_code_of_its_own_unless_the_auditor_allows_it(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    lean = of_bundle(BUNDLE.bundle())
    lean.sizes = (20, 50)
    path = written(tmp_path, lean.bundle())
    told = await nowhere("audit", "verify", path, *pinned)
    assert told.code == Exit.UNPROVEN
    assert "50 of 54 entries under 2 signed checkpoints" in told.out
    assert "not proven: uncovered" in told.out
    assert "no checkpoint covers the newest 4 of 54 entries" in told.err
    as_json = await nowhere("audit", "verify", path, *pinned, "-o", "json")
    assert (as_json.code, as_json.data["proven"]) == (Exit.UNPROVEN, False)
    allowed = await nowhere("audit", "verify", path, *pinned, "--allow", "uncovered", "-o", "json")
    assert (allowed.code, allowed.data["proven"]) == (Exit.OK, True)
    wrong = await nowhere("audit", "verify", path, *pinned, "--allow", "everything")
    assert (wrong.code, "--allow takes uncovered" in wrong.err) == (Exit.BAD_INPUT, True)


async def test_a_history_that_names_another_release_is_said_not_to_be_replayed(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    other = of_bundle(BUNDLE.bundle())
    other.version = "99.0"
    told = await nowhere("audit", "verify", written(tmp_path, other.bundle()), *pinned)
    assert told.code == Exit.UNPROVEN
    assert "0 of 1 history replayed" in told.out
    assert "the bundle names partner-rollouts 99.0" in told.err


async def test_a_history_that_this_release_cannot_replay_is_wrong(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    """A step became another one: requests and entries are untouched."""
    files = BUNDLE.files()
    path = next(one for one in files if one.startswith("history/"))
    changed = files[path].replace(b'"resolve_cohorts"', b'"another_step"', 1)
    assert changed != files[path]
    told = await nowhere("audit", "verify", written(tmp_path, sealed(BUNDLE, {**files, path: changed})), *pinned)
    assert told.code == Exit.ERROR
    assert f"NOT PROVEN: {path}: the history does not replay: NondeterminismError" in told.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Pin the key of the checkpoints with --key"),
        (("--key", "name+00000000+AAAA"), "is not one of Ed25519"),
        (("--key", "no-such-file"), "no-such-file cannot be read"),
    ],
)
async def test_without_a_good_pinned_key_nothing_is_looked_at(
    nowhere: Terminal, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    found = await nowhere("audit", "verify", written(tmp_path, BUNDLE.bundle()), *words)
    assert (found.code, found.out) == (Exit.BAD_INPUT, "")
    assert told in found.err


def test_a_letter_that_is_said_to_be_of_another_rollout_goes_into_the_bundle_for_verifying_to_find() -> None:
    """Whoever changes it in the store must not keep anybody from exporting."""
    key = RolloutKey(rollout_id="gold", chain_id="chain")
    said = dict.fromkeys(("contact", "kind", "subject", "body", "state"), "x")
    empty = dict.fromkeys(("problem", "next_try_at", "sent_at", "refused_at"))
    at = datetime(2026, 11, 26, tzinfo=UTC)
    more = {"about": {}, "written_at": at, "attempts": 1, "delivered": (), "refused": ()}
    one = OutboxLetter.model_validate({"notice": "gold/chain/4/paused", **said, **empty, **more})
    assert goes_in(one, key, 4)
    assert not goes_in(one, key, 3)
    assert goes_in(one.model_copy(update={"notice": "silver/chain/4/paused"}), key, 3)


def test_an_entry_of_the_store_that_cannot_be_read_is_named() -> None:
    row = LogRow(sequence=7, run_id="run", entry={"sequence": 7, "kind": "no kind"})
    with pytest.raises(CliError, match=r"Entry 7 of the log in the store cannot be read \(at: field required"):
        entry_of(row)


async def test_garbage_is_refused_in_a_sentence(nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]) -> None:
    path = tmp_path / "garbage.zip"
    path.write_bytes(b"PK\x03\x04 and so on")
    told = await nowhere("audit", "verify", str(path), *pinned)
    assert (told.code, told.out) == (Exit.ERROR, "")
    assert told.err.startswith(f"NOT PROVEN: {path}: the archive: it cannot be unpacked")
    assert (await nowhere("audit", "verify", str(tmp_path / "none.zip"), *pinned)).code == Exit.BAD_INPUT


async def test_one_entry_is_proven_by_a_file_that_shows_no_other(
    nowhere: Terminal, tmp_path: Path, pinned: tuple[str, ...]
) -> None:
    path, proof = written(tmp_path, BUNDLE.bundle()), tmp_path / "entry-12.proof"
    made = await nowhere("audit", "prove", path, "12", *pinned, "--out", str(proof))
    assert made.code == Exit.OK
    told = await nowhere("audit", "prove", str(proof), "--check", *pinned)
    assert told.code == Exit.OK
    assert told.out.startswith(f"Proven: entry 12 of {BUNDLE.rollout} stands in the log of 54 entries.")
    as_json = await nowhere("audit", "prove", str(proof), "--check", *pinned, "-o", "json")
    assert (as_json.data["sequence"], as_json.data["size"]) == (12, 54)
    proof.write_bytes(proof.read_bytes().replace(b"index 11", b"index 12"))
    broken = await nowhere("audit", "prove", str(proof), "--check", *pinned)
    assert (broken.code, broken.err.startswith("NOT PROVEN")) == (Exit.ERROR, True)
    assert (await nowhere("audit", "prove", path, "99", *pinned)).code == Exit.ERROR
    again = await nowhere("audit", "prove", path, "12", *pinned, "--out", path)
    assert (again.code, "exists already" in again.err) == (Exit.BAD_INPUT, True)


async def test_a_running_rollout_is_exported_under_a_fresh_checkpoint_and_proves_all_that_it_can(
    terminal: Terminal, rollout: Rollout, tmp_path: Path
) -> None:
    await rollout.to_pilot()
    target = tmp_path / "running.zip"
    told = await terminal.program("audit", "export", rollout.name, "--out", str(target), "-o", "json")
    assert (told.code, told.document["kind"]) == (Exit.OK, "bundle"), told.err
    files = unzipped(target.read_bytes())
    assert {MANIFEST, PLAN, LOG, LETTERS, "decisions.md"} <= set(files)
    assert told.data["entries"] == told.data["covered"] == files[LOG].count(b"\n") > 10
    pinned = ("--key", str(Place(terminal.home).log_vkeys))
    found = await terminal("audit", "verify", str(target), *pinned)
    assert found.code == Exit.UNPROVEN, found.err
    assert found.out.rstrip().endswith("not proven: unsigned.")
    assert "1 gate by its rules" in found.out
    letters = files[LETTERS].count(b"\n")
    assert f"{letters} letters as the log names them" in found.out
    assert (await terminal("audit", "verify", str(target), *pinned, "--allow", "unsigned")).code == Exit.OK
    other = files[LETTERS].replace(b"please confirm", b"please ignore", 1)
    forged = replace(of_bundle(files), letters=other)
    told = await terminal(
        "audit", "verify", written(tmp_path, sealed(forged, {**files, LETTERS: other}), "f.zip"), *pinned
    )
    assert (told.code, "the letter is not the one that the log names" in told.err) == (Exit.ERROR, True), told.err
    again = await terminal("audit", "export", rollout.name, "--out", str(target))
    assert (again.code, "exists already" in again.err) == (Exit.BAD_INPUT, True)
    folder = tmp_path / "folder"
    assert (await terminal("audit", "export", rollout.name, "--out", str(folder))).code == Exit.OK
    more = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} - set(files)
    assert len([one for one in folder.rglob("*") if one.is_file()]) == len(files) + len(more)
    # The rollout goes on: what it was judged on since, and the checkpoint over that.
    assert all(one.startswith(("checkpoints/", "evidence/")) for one in more), more
    shutil.rmtree(folder)
    unknown = await terminal("audit", "export", "nobody-knows-it")
    assert (unknown.code, "knows no rollout" in unknown.err) == (Exit.BAD_INPUT, True)
