"""The hash tree of RFC 6962: roots, proofs that a leaf is in it and that it only ever grew, and their verification.

Hashes are 32 bytes. A leaf is never hashed as a node is, so that neither can be passed off as the other.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from audit.errors import NotSound
from models.base import Frozen

SIZE = 32
"""Bytes of a hash."""

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Edge(Frozen):
    """All that is needed of a tree to let it grow: the roots of its full subtrees, the largest first.

    As many as `size` has ones in binary, so that the next root of a tree of millions costs a few hashes.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> Edge:
        """The edge after leaves, given by their hashes, have been added."""
        size, hashes = self.size, list(self.hashes)
        for one in leaves:
            hashes.append(one)
            size += 1
            # Every zero at the end of the new size is a pair of equal subtrees that has become full.
            for _ in range(_trailing_zeros(size)):
                right = hashes.pop()
                hashes.append(node_hash(hashes.pop(), right))
        return Edge(size=size, hashes=tuple(hashes))

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.hashes:
            return EMPTY
        found = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            found = node_hash(left, found)
        return found

    def packed(self) -> bytes:
        """The hashes one after the other, for keeping."""
        return b"".join(self.hashes)


def edge(size: int, packed: bytes) -> Edge:
    """An edge from what was kept of it.

    Raises:
        NotSound: that many bytes are no edge of a tree of this size.
    """
    if size < 0 or len(packed) != SIZE * size.bit_count():
        raise NotSound(f"{len(packed)} bytes are not the edge of a tree of {size} leaves")
    return Edge(size=size, hashes=tuple(packed[at : at + SIZE] for at in range(0, len(packed), SIZE)))


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaves, given by their hashes."""
    return Edge().grown(leaves).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """What proves that the leaf of an index, from 0, is in the tree of these leaves: the nearest hash first.

    Raises:
        NotSound: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise NotSound(f"a tree of {len(leaves)} leaves has no leaf {index}")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    return tuple(reversed(path))


def consistency_proof(leaves: Sequence[bytes], first: int) -> tuple[bytes, ...]:
    """What proves that the tree of these leaves began with the tree of the first so many of them.

    Raises:
        NotSound: it was never that large, or that many leaves are no tree.
    """
    if not 0 <= first <= len(leaves):
        raise NotSound(f"a tree of {len(leaves)} leaves never had {first}")
    path: list[bytes] = []
    low, high, known = 0, len(leaves), True
    while 0 < first - low < high - low:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low, known = middle, False
    if not known:
        path.append(root(leaves[low:high]))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Make sure that a leaf, given by its hash, stands at an index, from 0, of the tree with this size and root.

    Raises:
        NotSound: the proof does not lead from the leaf to the root.
    """
    if not 0 <= index < size:
        raise NotSound(f"a tree of {size} leaves has no leaf {index}")
    _must_be_hashes(leaf, *proof, root)
    found, at, last = leaf, index, size - 1
    for one in proof:
        if last == 0:
            raise NotSound(f"the proof of leaf {index} is longer than a tree of {size} leaves is high")
        if at & 1 or at == last:
            found = node_hash(one, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, one)
        at, last = at >> 1, last >> 1
    if last:
        raise NotSound(f"the proof of leaf {index} is shorter than a tree of {size} leaves is high")
    if not hmac.compare_digest(found, root):
        raise NotSound(f"leaf {index} is not in the tree of {size} leaves: its proof leads to another root")


def verify_consistency(first: int, second: int, proof: Sequence[bytes], before: bytes, after: bytes) -> None:
    """Make sure that a tree of `second` leaves with the root `after` began with that of `first` and `before`.

    Raises:
        NotSound: the proof does not lead from one root to the other.
    """
    _must_be_hashes(before, *proof, after)
    if not 0 <= first <= second:
        raise NotSound(f"a tree of {second} leaves never had {first}")
    if first in (0, second):
        same = after if first == second else EMPTY
        if proof or before != same or (second == 0 and after != EMPTY):
            raise NotSound(f"the trees of {first} and {second} leaves are not those of one log")
        return
    _must_lead(first, second, proof, before, after)


def _must_lead(first: int, second: int, proof: Sequence[bytes], before: bytes, after: bytes) -> None:
    # A full tree is a node of the larger one itself, so its root need not be in the proof.
    hashes = [before, *proof] if first & (first - 1) == 0 else list(proof)
    if not hashes:
        raise NotSound(f"the proof from {first} to {second} leaves is empty")
    skip = _trailing_zeros(first)
    at, last = (first - 1) >> skip, (second - 1) >> skip
    old = new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            raise NotSound(f"the proof from {first} to {second} leaves is too long")
        if at & 1 or at == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, one)
        at, last = at >> 1, last >> 1
    if last:
        raise NotSound(f"the proof from {first} to {second} leaves is too short")
    if not (hmac.compare_digest(old, before) and hmac.compare_digest(new, after)):
        raise NotSound(f"the tree of {second} leaves did not begin with that of {first}: their proof leads elsewhere")


def _must_be_hashes(*hashes: bytes) -> None:
    for one in hashes:
        if len(one) != SIZE:
            raise NotSound(f"a hash of a proof does not have {SIZE} bytes")


def _split(size: int) -> int:
    """The largest power of two below a size from 2 on: how many leaves are in the left subtree."""
    return 1 << ((size - 1).bit_length() - 1)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1
