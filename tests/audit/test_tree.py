"""The hash tree against the vectors of Certificate Transparency, and against every tree of a few leaves."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import NotSound
from audit.tree import (
    EMPTY,
    Edge,
    consistency_proof,
    edge,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The vectors that the implementations of Certificate Transparency share.
DATA = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(one)
    for one in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
HASHES = [leaf_hash(one) for one in DATA]
INCLUSIONS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCIES = {
    (1, 1): (),
    (1, 8): INCLUSIONS[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
    (6, 7): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}

MOST = 40
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]
SOME = hashlib.sha256(b"some hash").digest()


def test_the_empty_tree_and_the_empty_leaf_hash_as_the_standard_says() -> None:
    assert root([]) == EMPTY == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert leaf_hash(b"") == ROOTS[0]
    assert node_hash(HASHES[0], HASHES[1]) == ROOTS[1]


@pytest.mark.parametrize("size", range(1, 9))
def test_public_roots_are_found(size: int) -> None:
    assert root(HASHES[:size]) == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_public_inclusion_proofs_are_made_and_hold(index: int, size: int) -> None:
    proof = tuple(bytes.fromhex(one) for one in INCLUSIONS[index, size])
    assert inclusion_proof(HASHES[:size], index) == proof
    verify_inclusion(HASHES[index], index, size, proof, ROOTS[size - 1])


@pytest.mark.parametrize(("first", "second"), CONSISTENCIES)
def test_public_consistency_proofs_are_made_and_hold(first: int, second: int) -> None:
    proof = tuple(bytes.fromhex(one) for one in CONSISTENCIES[first, second])
    assert consistency_proof(HASHES[:second], first) == proof
    verify_consistency(first, second, proof, ROOTS[first - 1], ROOTS[second - 1])


@pytest.mark.parametrize("size", range(1, MOST))
def test_every_leaf_is_proven_to_stand_in_every_tree_and_nowhere_else(size: int) -> None:
    leaves, whole = LEAVES[:size], root(LEAVES[:size])
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(leaves, index)
        verify_inclusion(leaf, index, size, proof, whole)
        for other in range(size):
            if other != index:
                with pytest.raises(NotSound):
                    verify_inclusion(leaf, other, size, proof, whole)
                with pytest.raises(NotSound):
                    verify_inclusion(leaves[other], index, size, proof, whole)


@pytest.mark.parametrize("second", range(MOST))
def test_every_tree_is_proven_to_have_begun_with_every_smaller_one_and_no_other(second: int) -> None:
    after = root(LEAVES[:second])
    for first in range(second + 1):
        proof = consistency_proof(LEAVES[:second], first)
        before = root(LEAVES[:first])
        verify_consistency(first, second, proof, before, after)
        forked = root([*LEAVES[: first - 1], SOME]) if first else SOME
        with pytest.raises(NotSound):
            verify_consistency(first, second, proof, forked, after)
        if first:
            with pytest.raises(NotSound):
                verify_consistency(first, second, proof, before, SOME)


@given(st.data())
def test_no_changed_inclusion_proof_holds(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(LEAVES[:size], index))
    changed = data.draw(_changed(proof))
    with pytest.raises(NotSound):
        verify_inclusion(LEAVES[index], index, size, changed, root(LEAVES[:size]))


@given(st.data())
def test_no_changed_consistency_proof_holds(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, MOST))
    first = data.draw(st.integers(1, second))
    proof = list(consistency_proof(LEAVES[:second], first))
    changed = data.draw(_changed(proof))
    with pytest.raises(NotSound):
        verify_consistency(first, second, changed, root(LEAVES[:first]), root(LEAVES[:second]))


@st.composite
def _changed(draw: st.DrawFn, proof: list[bytes]) -> list[bytes]:
    """A proof with one hash more or less, another order, or one bit that is another."""
    ways = ["more"] + (["less", "bit", "short"] if proof else []) + (["order"] if len(set(proof)) > 1 else [])
    way, changed = draw(st.sampled_from(ways)), list(proof)
    at = draw(st.integers(0, max(len(proof) - 1, 0)))
    if way == "more":
        changed.insert(at, draw(st.sampled_from([SOME, b"", *proof])))
    elif way == "less":
        del changed[at]
    elif way == "short":
        changed[at] = changed[at][:-1]
    elif way == "order":
        changed.reverse()
    else:
        bit = draw(st.integers(0, 255))
        flipped = bytearray(changed[at])
        flipped[bit // 8] ^= 1 << bit % 8
        changed[at] = bytes(flipped)
    return changed


@given(st.integers(-5, 70), st.integers(-5, 70), st.lists(st.binary(max_size=40), max_size=8), st.binary(max_size=40))
def test_whatever_is_brought_as_a_proof_is_refused_in_words(
    first: int, second: int, proof: list[bytes], other: bytes
) -> None:
    with pytest.raises(NotSound):
        verify_inclusion(other, first, second, proof, SOME)
    with pytest.raises(NotSound):
        verify_consistency(first, second, proof, other, SOME)


@given(st.lists(st.integers(0, MOST), min_size=1, max_size=6))
def test_a_tree_that_grows_in_steps_has_the_root_of_one_built_at_once(sizes: list[int]) -> None:
    steps = [0, *sorted(sizes)]
    grown = Edge()
    for before, after in pairwise(steps):
        kept = edge(grown.size, grown.packed())
        assert kept == grown
        grown = kept.grown(LEAVES[before:after])
        assert (grown.size, grown.root()) == (after, root(LEAVES[:after]))


@pytest.mark.parametrize(("size", "length"), [(0, 32), (1, 0), (1, 31), (3, 32), (-1, 0), (4, 64)])
def test_what_is_no_edge_of_a_tree_of_that_size_is_refused(size: int, length: int) -> None:
    with pytest.raises(NotSound, match="are not the edge"):
        edge(size, bytes(length))


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(NotSound, match="no leaf 3"):
        inclusion_proof(LEAVES[:3], 3)
    with pytest.raises(NotSound, match="never had 4"):
        consistency_proof(LEAVES[:3], 4)
