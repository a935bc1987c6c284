"""A bundle: everything an auditor needs to look at a rollout without trusting whoever made it, as files by their path.

It comes as a .zip or as a folder. What it is made of may have been written by anybody, so reading it has limits.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from models.base import Frozen, Instant
from models.canonical import canonical

MANIFEST, PLAN, LOG, LOG_TEXT = "manifest.json", "plan.json", "decisions.jsonl", "decisions.md"
LETTERS = "letters.jsonl"
LOG_KEYS, DECISION_KEYS = "keys/log.txt", "keys/decisions.json"
LOOKS = "looks.jsonl"

LARGEST_FILE = 512 * 1024**2
LARGEST = 2 * 1024**3
MOST_FILES = 50_000
DEEPEST = 3
"""Bytes of a file and of all files, unpacked, how many there may be, and in how many folders within one another: a
rollout of years stays well below."""

_NAMES = (
    re.compile(r"letters\.jsonl|looks\.jsonl"),
    re.compile(r"manifest\.json|plan\.json|decisions\.(jsonl|md)|keys/(log\.txt|decisions\.json)"),
    re.compile(r"evidence/[0-9a-f]{64}\.json"),
    re.compile(r"checkpoints/[0-9]{6,9}\.txt"),
    re.compile(r"record/((files|readings)\.json|next-cycle\.yaml|[a-z]{2}/record\.(md|html))"),
    re.compile(r"record/[a-z]{2}/(charts/[a-z0-9_-]{1,100}\.svg|gates/[0-9]{2,4}-[a-z0-9-]{1,100}\.md)"),
    re.compile(r"history/[0-9]{1,6}-[0-9A-Za-z][0-9A-Za-z-]{0,99}\.json"),
)

_STAMP = (1980, 1, 1, 0, 0, 0)
"""The time of every file of a .zip, so that the same content is the same archive."""


class BundleError(Exception):
    """The bundle, or a file of it, cannot be read; the message says why."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file}: {problem}")
        self.file = file
        self.problem = problem


class Sealed(Frozen):
    """A file's digest and size in bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Code(Frozen):
    """Which program the rollout ran on when the bundle was made."""

    name: str
    version: str


class Manifest(Frozen):
    """What a bundle is of, and which files belong to it.

    Nobody signs it. It finds what was damaged on the way; what was forged is found by what is signed.
    """

    format: Literal[1] = 1
    rollout: str
    chain: str
    deployment: str
    made_at: Instant
    code: Code
    files: dict[str, Sealed]


def allowed(path: str) -> bool:
    """Whether a bundle may have a file of this path."""
    return any(one.fullmatch(path) for one in _NAMES)


def sealed(content: bytes) -> Sealed:
    """What a manifest says of a file."""
    return Sealed(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def with_manifest(files: Mapping[str, bytes], **about: Any) -> dict[str, bytes]:
    """The files of a bundle with their manifest.

    Args:
        about: the fields of the manifest but `files`.
    """
    manifest = Manifest(**about, files={path: sealed(files[path]) for path in sorted(files)})
    return {MANIFEST: canonical(manifest.model_dump(mode="json")), **{path: files[path] for path in sorted(files)}}


def read_manifest(content: bytes) -> Manifest:
    """A manifest, written as we write it.

    Raises:
        BundleError: it is none.
    """
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise BundleError(MANIFEST, f"{where}: {first['msg'][:200]}".lstrip(": ")) from None
    if canonical(manifest.model_dump(mode="json")) != content:
        raise BundleError(MANIFEST, "it is not written canonically: something in it can be read in two ways")
    return manifest


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as a .zip: the same content is the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return out.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """The files of a .zip.

    Raises:
        BundleError: it is no .zip, or one that is not read: with a path from elsewhere, a file there twice, or too
            much in it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            check_names([info.filename for info in infos])
            room, files = LARGEST, {}
            for info in infos:
                files[info.filename] = _unpacked(archive, info, min(LARGEST_FILE, room))
                room -= len(files[info.filename])
            return files
    except BundleError:
        raise
    except Exception as problem:  # the archive may be anything, and its reader fails in many ways
        told = " ".join(str(problem).split())[:200] or type(problem).__name__
        raise BundleError("the archive", f"it cannot be unpacked: {told}") from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: int) -> bytes:
    if info.flag_bits & 0x1:
        raise BundleError(info.filename, "it is encrypted; a bundle is not")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(info.filename, "it is packed in a way that bundles are not: only deflated, or as it is")
    # What the archive says of the size is not believed: reading ends where the room does.
    with archive.open(info) as stream:
        found = stream.read(room + 1)
    if len(found) > room:
        raise BundleError(info.filename, f"it has more than {room} bytes; allowed: {LARGEST_FILE} a file, {LARGEST}")
    return found


def check_names(paths: Iterable[str]) -> None:
    """Make sure that these are paths of a bundle, each there once.

    Raises:
        BundleError: naming the first that is not.
    """
    known: set[str] = set()
    for path in paths:
        if not allowed(path):
            raise BundleError(repr(path[:200]), "a bundle has no file of this name")
        if path in known:
            raise BundleError(path, "it is there twice")
        known.add(path)
        if len(known) > MOST_FILES:
            raise BundleError("the bundle", f"it has more than {MOST_FILES} files")


def history_place(path: str) -> tuple[int, str] | None:
    """Number and run of a history's path, None for another file."""
    if not path.startswith("history/"):
        return None
    number, _, run_id = path.removeprefix("history/").removesuffix(".json").partition("-")
    return int(number), run_id


def json_of(files: Mapping[str, bytes], path: str) -> Any:
    """A file of JSON, in which nothing is said twice.

    Raises:
        BundleError: it is missing, or no such JSON.
    """
    if path not in files:
        raise BundleError(path, "it is missing")
    try:
        return json.loads(files[path], object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise BundleError(path, f"it is not JSON: {str(problem)[:200]}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("something is said twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
