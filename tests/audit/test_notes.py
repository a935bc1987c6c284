"""Signed notes against the vectors of Go and of the specification, and whatever else could be brought as one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import NotSound
from audit.notes import NoteSigner, VerifierKey, key_name, open_note, read_note, read_vkey, read_vkeys

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCHS = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
EXAMPLES = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
NOTE = f"{TEXT}\n{PETERS}{ENOCHS}".encode()


def keys(*texts: str) -> list[VerifierKey]:
    return [read_vkey(one) for one in texts]


@pytest.mark.parametrize("text", [PETER, ENOCH, EXAMPLE])
def test_public_verifier_keys_are_read_and_written_the_same(text: str) -> None:
    assert read_vkey(text).vkey == text


def test_public_notes_hold_by_the_keys_that_signed_them() -> None:
    assert open_note(NOTE, keys(PETER))[1] == tuple(keys(PETER))
    assert open_note(NOTE, keys(PETER, ENOCH))[1] == tuple(keys(PETER, ENOCH))
    assert open_note(EXAMPLES.encode(), keys(EXAMPLE))[0].text == "This is an example message.\n"


def test_the_public_key_pair_signs_as_go_does() -> None:
    signer = NoteSigner("PeterNeumann", Ed25519PrivateKey.from_private_bytes(PETERS_SEED))
    assert signer.public.vkey == PETER
    assert signer.sign(TEXT) == f"{TEXT}\n{PETERS}"


def test_signatures_of_unknown_keys_say_nothing() -> None:
    stranger = NoteSigner("PeterNeumann", Ed25519PrivateKey.generate()).sign(TEXT).rpartition("\n\n")[2]
    note = f"{TEXT}\n{stranger}{PETERS}— odd {base64.b64encode(bytes(2500)).decode()}\n".encode()
    assert open_note(note, keys(PETER))[1] == tuple(keys(PETER))
    with pytest.raises(NotSound, match="no key that is trusted has signed the note; it is signed by PeterNeumann"):
        open_note(note, keys(ENOCH))
    with pytest.raises(NotSound, match="no key that is trusted"):
        open_note(note, ())


def test_one_wrong_signature_of_a_known_key_refuses_the_note_also_beside_a_good_one() -> None:
    wrong = f"{TEXT}\n{PETERS}— EnochRoot {base64.b64encode(read_vkey(ENOCH).id + bytes(64)).decode()}\n".encode()
    assert open_note(wrong, keys(PETER))
    with pytest.raises(NotSound, match=r"the signature of EnochRoot\+af0cfe78 is not over this text"):
        open_note(wrong, keys(PETER, ENOCH))


def test_the_text_may_have_blank_lines() -> None:
    signer = NoteSigner("a", Ed25519PrivateKey.generate())
    text = "one\n\n— two\n\n\n"
    assert open_note(signer.sign(text).encode(), [signer.public])[0].text == text


def test_sixteen_signatures_and_more_are_read_and_not_without_end() -> None:
    assert len(read_note((TEXT + "\n" + PETERS * 16).encode()).signatures) == 16
    with pytest.raises(NotSound, match="101 signatures; allowed: 100"):
        read_note((TEXT + "\n" + PETERS * 101).encode())
    with pytest.raises(NotSound, match="allowed: 100000"):
        read_note(b"x" * 100_001)


def test_no_byte_of_a_note_can_be_another() -> None:
    both = keys(PETER, ENOCH)
    for at in range(len(NOTE)):
        changed = bytearray(NOTE)
        changed[at] ^= 1
        # A name or id that is another makes it a signature of somebody unknown: then only the other one counts.
        assert [key for key in both if _is_opened(bytes(changed), key)] != both


def _is_opened(note: bytes, key: VerifierKey) -> bool:
    try:
        open_note(note, [key])
    except NotSound:
        return False
    return True


def test_no_note_can_be_cut_short() -> None:
    for length in range(len(NOTE)):
        with pytest.raises(NotSound):
            open_note(NOTE[:length], keys(ENOCH))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_whatever_is_brought_as_a_note_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(NotSound):
        open_note(data, keys(PETER))


@given(st.text(max_size=80))
def test_whatever_is_brought_as_a_key_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotSound):
        read_vkey(text)


def test_no_part_of_a_key_and_no_changed_key_is_one() -> None:
    parts = {PETER[low:high] for low in range(len(PETER)) for high in range(low, len(PETER) + 1)} - {PETER}
    changed = {PETER[:at] + chr(ord(PETER[at]) + 1) + PETER[at + 1 :] for at in range(len(PETER))}
    for text in parts | changed:
        with pytest.raises(NotSound):
            read_vkey(text)


def test_a_file_of_keys_names_the_line_that_is_none() -> None:
    assert read_vkeys(f"# ours\n\n{PETER}\n  {ENOCH}\n") == tuple(keys(PETER, ENOCH))
    with pytest.raises(NotSound, match="line 2: the key is not base64"):
        read_vkeys(f"{PETER}\nname+00+!!\n")


@pytest.mark.parametrize("text", ["no newline", "tab\there\n", "bell\x07\n", "half \ud800 of a pair\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(NotSound):
        NoteSigner("a", Ed25519PrivateKey.generate()).sign(text)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "no\u00a0break", "new\nline"])
def test_a_name_with_spaces_or_a_plus_is_no_key_s(name: str) -> None:
    with pytest.raises(NotSound):
        NoteSigner(name, Ed25519PrivateKey.generate())
    if name:
        NoteSigner(key_name(name), Ed25519PrivateKey.generate())
