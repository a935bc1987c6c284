"""One entry proven by itself: the file convinces whoever has the key, and nothing else does."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import open_checkpoint
from audit.errors import NotSound
from audit.notes import NoteSigner
from audit.proof import check_proof, write_proof
from tests.audit.exhibits import SIGNER, whole

WHOLE = whole()
KEYS = (SIGNER.public,)
NOTE = WHOLE.checkpoints()["checkpoints/000002.txt"]
CHECKPOINT = open_checkpoint(NOTE, KEYS)


def test_every_entry_that_a_checkpoint_covers_can_be_proven_by_itself() -> None:
    for sequence in range(1, CHECKPOINT.size + 1):
        proof = write_proof(WHOLE.leaves, sequence, NOTE, CHECKPOINT)
        assert proof.startswith(b"c2sp.org/tlog-proof@v1\n")
        leaf, found = check_proof(proof, KEYS)
        assert (leaf.sequence, leaf.rollout) == (sequence, WHOLE.rollout)
        assert found == CHECKPOINT


@pytest.mark.parametrize("sequence", [0, CHECKPOINT.size + 1, 1000])
def test_an_entry_that_no_checkpoint_covers_cannot_be_proven(sequence: int) -> None:
    with pytest.raises(NotSound, match="covers entries 1 to 36"):
        write_proof(WHOLE.leaves, sequence, NOTE, CHECKPOINT)


def test_a_proof_is_not_written_for_entries_that_were_changed() -> None:
    leaves = [*WHOLE.leaves[:4], WHOLE.leaves[5], *WHOLE.leaves[5:]]
    with pytest.raises(NotSound, match="leads to another root"):
        write_proof(leaves, 5, NOTE, CHECKPOINT)


def test_of_a_log_that_was_cut_off_that_is_what_is_said() -> None:
    with pytest.raises(NotSound, match="covers 36 entries, and the log has 20: it was cut off"):
        write_proof(WHOLE.leaves[:20], 5, NOTE, CHECKPOINT)


def test_a_proof_by_the_key_of_another_installation_proves_nothing() -> None:
    other = NoteSigner("another-house", Ed25519PrivateKey.generate())
    note = other.sign(CHECKPOINT.text).encode()
    proof = write_proof(WHOLE.leaves, 12, note, CHECKPOINT)
    with pytest.raises(NotSound, match="for which the key of another-house does not sign"):
        check_proof(proof, (other.public, *KEYS))


def test_no_changed_bit_of_a_proof_goes_unnoticed() -> None:
    proof = write_proof(WHOLE.leaves, 12, NOTE, CHECKPOINT)
    draw = random.Random("proof")
    for at in range(0, len(proof), 3):
        changed = bytearray(proof)
        changed[at] ^= 1 << draw.randrange(8)
        with pytest.raises(NotSound):
            check_proof(bytes(changed), KEYS)


def test_a_proof_by_a_key_that_is_not_pinned_proves_nothing() -> None:
    proof = write_proof(WHOLE.leaves, 12, NOTE, CHECKPOINT)
    other = NoteSigner(SIGNER.public.name, Ed25519PrivateKey.generate())
    with pytest.raises(NotSound, match="no key that is trusted"):
        check_proof(proof, (other.public,))


GARBAGE = (b"", b"\n\n", b"\x00" * 100, b"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n", b"a\n" * 5000)


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_proves_nothing(content: bytes) -> None:
    with pytest.raises(NotSound):
        check_proof(content, KEYS)
