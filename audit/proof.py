"""The proof that one entry stands in a signed log, as a file (C2SP tlog-proof): the entry, its path, a checkpoint."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

from audit.checkpoint import Checkpoint, open_own, origin_of
from audit.errors import NotSound
from audit.leaves import Leaf, read_leaf
from audit.notes import VerifierKey
from audit.tree import SIZE, inclusion_proof, leaf_hash, verify_inclusion

HEAD = "c2sp.org/tlog-proof@v1"

LARGEST = 10_000_000
"""Bytes of such a file at most."""

_LONGEST = 64
"""Hashes of a path at most: a tree of 2^64 entries is no higher."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})")


def write_proof(leaves: Sequence[bytes], sequence: int, note: bytes, checkpoint: Checkpoint) -> bytes:
    """The proof that the entry of a sequence stands in the log that a checkpoint covers.

    Raises:
        NotSound: it does not cover this entry, or not these leaves.
    """
    index = sequence - 1
    if checkpoint.size > len(leaves):
        raise NotSound(
            f"the checkpoint covers {checkpoint.size} entries, and the log has {len(leaves)}: it was cut off"
        )
    if not 0 <= index < checkpoint.size:
        raise NotSound(f"the checkpoint covers entries 1 to {checkpoint.size}, of which {sequence} is none")
    hashes = [leaf_hash(one) for one in leaves[: checkpoint.size]]
    path = inclusion_proof(hashes, index)
    verify_inclusion(hashes[index], index, checkpoint.size, path, checkpoint.root)
    lines = [HEAD, f"extra {_encoded(leaves[index])}", f"index {index}", *map(_encoded, path), "", ""]
    return "\n".join(lines).encode() + note


def check_proof(data: bytes, keys: Iterable[VerifierKey]) -> tuple[Leaf, Checkpoint]:
    """The entry that a file proves, and the checkpoint under which it does.

    Raises:
        NotSound: it proves nothing, or not by these keys.
    """
    if len(data) > LARGEST:
        raise NotSound(f"the proof has {len(data)} bytes; allowed: {LARGEST}")
    above, blank, note = data.partition(b"\n\n")
    try:
        head, extra, index, *path = above.decode("ascii").split("\n")
    except ValueError:
        raise NotSound(f"a proof begins with the lines {HEAD}, extra and index") from None
    found = _INDEX.fullmatch(index)
    if head != HEAD or not extra.startswith("extra ") or found is None or not blank:
        raise NotSound(f"a proof begins with the lines {HEAD}, extra and index, and a checkpoint follows a blank line")
    if len(path) > _LONGEST:
        raise NotSound(f"the path has {len(path)} hashes; allowed: {_LONGEST}")
    leaf_data = _decoded(extra.removeprefix("extra "))
    hashes = [_decoded(one) for one in path]
    if any(len(one) != SIZE for one in hashes):
        raise NotSound(f"a hash of the path does not have {SIZE} bytes")
    leaf, checkpoint = read_leaf(leaf_data), open_own(note, keys)
    at = int(found[1])
    if leaf.sequence != at + 1:
        raise NotSound(f"the entry is that of sequence {leaf.sequence}, and stands at index {at}")
    if not checkpoint.origin.endswith("/" + origin_of("x", leaf.rollout, leaf.chain).partition("/")[2]):
        raise NotSound(f"the checkpoint is of the log {checkpoint.origin[:200]!r}, the entry of {leaf.rollout!r}")
    verify_inclusion(leaf_hash(leaf_data), at, checkpoint.size, hashes, checkpoint.root)
    return leaf, checkpoint


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        found = b""
    if not found or _encoded(found) != text:
        raise NotSound("a line of the proof is not base64 as base64 writes it")
    return found
