"""Checkpoints as C2SP writes them, and the lines that chain ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import Because, Link, link_of, make_checkpoint, open_checkpoint, origin_of, read_checkpoint
from audit.errors import NotSound
from audit.notes import NoteSigner, read_note
from audit.tree import EMPTY, leaf_hash

SIGNER = NoteSigner("partner-rollouts", Ed25519PrivateKey.generate())
AT = datetime(2026, 11, 26, 4, 30, tzinfo=UTC)
LINK = Link(previous=None, number=1, at=AT, because=Because.GATE)
ORIGIN = origin_of("partner-rollouts", "leads", "chain-1")
OURS = make_checkpoint(ORIGIN, 2, leaf_hash(b"x"), LINK, SIGNER)

# The example of the specification.
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_the_specification_s_example_is_read() -> None:
    found = read_checkpoint(read_note(SOFA.encode()).text)
    assert (found.origin, found.size, found.root.hex()[:8], found.extensions) == (
        "example.com/behind-the-sofa",
        20852163,
        "0ac5186a",
        (),
    )
    with pytest.raises(NotSound, match="does not say previous, number, at, because"):
        link_of(found)


def test_ours_says_everything_in_words_that_are_read_again() -> None:
    found = open_checkpoint(OURS.encode(), [SIGNER.public], ORIGIN)
    assert found.text.splitlines()[0::3] == ["partner-rollouts/leads/chain-1", "previous none", "because gate"]
    assert OURS.startswith(found.text)
    assert link_of(found) == LINK
    after = Link(previous=found.digest, number=2, at=AT, because=Because.HOUR)
    assert link_of(open_checkpoint(make_checkpoint(ORIGIN, 3, EMPTY, after, SIGNER).encode(), [SIGNER.public])) == after


def test_lines_that_nobody_knows_are_signed_and_otherwise_say_nothing() -> None:
    text = read_note(OURS.encode()).text
    note = SIGNER.sign(text.replace("previous", "witness w1\nprevious") + "numbers are fun\n")
    found = open_checkpoint(note.encode(), [SIGNER.public])
    assert link_of(found) == LINK
    assert found.extensions[0] == "witness w1"
    assert found.digest != read_checkpoint(text).digest


def test_a_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(NotSound, match="is of the log 'partner-rollouts/leads/chain-1', not of"):
        open_checkpoint(OURS.encode(), [SIGNER.public], origin_of("partner-rollouts", "leads", "chain-2"))


def test_no_byte_of_a_checkpoint_can_be_another() -> None:
    for at in range(len(OURS.encode())):
        changed = bytearray(OURS.encode())
        changed[at] ^= 1
        with pytest.raises(NotSound):
            open_checkpoint(bytes(changed), [SIGNER.public])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("\n2\n", "\n02\n", "the size of the checkpoint is not a number"),
        ("\n2\n", "\n-2\n", "the size of the checkpoint is not a number"),
        ("\n2\n", "\n\uff12\n", "the size of the checkpoint is not a number"),
        ("\n2\n", "\n" + "9" * 30 + "\n", "the size of the checkpoint is not a number"),
        ("=\n", "\n", "the root of the checkpoint"),
        ("=\n", "=\n\n", "none of them empty"),
        ("number 1", "number 0", "counted from 1"),
        ("number 1", "number 1\nnumber 1", "says number twice"),
        ("number 1", "numbers 1", "does not say number"),
        ("previous none", "previous", "does not say|neither a SHA-256"),
        ("previous none", "previous " + "A" * 64, "neither a SHA-256"),
        ("at 2026", "at 26", "no moment"),
        ("T04:30:00Z", "T4:30:00Z", "no moment"),
        ("because gate", "because of that", "none of gate, hour, export, close"),
    ],
)
def test_what_is_signed_and_yet_no_checkpoint_of_ours_is_refused_by_what_is_wrong(old: str, new: str, why: str) -> None:
    text = read_note(OURS.encode()).text
    assert old in text
    with pytest.raises(NotSound, match=why):
        link_of(open_checkpoint(SIGNER.sign(text.replace(old, new, 1)).encode(), [SIGNER.public]))


@given(st.text(max_size=200))
def test_whatever_is_brought_as_a_checkpoint_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotSound):
        link_of(read_checkpoint(text))


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_every_chain_of_every_rollout_has_an_origin_of_its_own_that_fits_on_a_line(a: str, b: str, c: str) -> None:
    try:
        origin = origin_of(a, b, c)
    except UnicodeEncodeError:
        return
    assert origin.isascii()
    assert not any(one in origin for one in " +\n")
    assert origin.rsplit("/", 2)[1:] != origin_of(a, b + "/", c).rsplit("/", 2)[1:]


def test_a_checkpoint_that_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(NotSound):
        make_checkpoint("two\nlines", 2, EMPTY, LINK, SIGNER)
    with pytest.raises(NotSound):
        make_checkpoint(ORIGIN, 2, b"short", LINK, SIGNER)
    with pytest.raises(NotSound):
        make_checkpoint("", 2, EMPTY, LINK, SIGNER)
