"""Archives and folders from anybody: a bundle is read within limits, or refused with a reason."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest

import audit.bundle
from audit.bundle import LOG, MANIFEST, BundleError, unzipped, zipped
from audit.verify import verify
from tests.audit.exhibits import EXAMPLE, whole

WHOLE = whole()
FILES = WHOLE.bundle()
ARCHIVE = zipped(FILES)


def _archive(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def test_the_same_content_is_the_same_archive_and_is_read_again() -> None:
    assert unzipped(ARCHIVE) == FILES
    assert zipped(unzipped(ARCHIVE)) == ARCHIVE


def test_a_bundle_that_an_earlier_release_exported_can_still_be_read() -> None:
    files = unzipped(EXAMPLE.read_bytes())
    assert verify(files, WHOLE.trusted, WHOLE.version).findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "history/../../x.json",
        "C:\\plan.json",
        "plan.json/",
        "evidence/x.json",
        "history/1-a/b.json",
        "Plan.json",
        "plan.json\n",
        "checkpoints/1.txt",
        "history/1-\u202e.json",
        "keys/private.pem",
    ],
)
def test_a_path_that_no_bundle_has_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="no file of this name"):
        unzipped(_archive((MANIFEST, b"{}"), (name, b"x") if not name.endswith("/") else ("plan.json/x", b"x")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused() -> None:
    with pytest.raises(BundleError, match=r"plan\.json: it is there twice"):
        unzipped(_archive(("plan.json", b"{}"), ("plan.json", b"[]")))


def test_a_bomb_is_not_unpacked_beyond_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes of nothing in ten kilobytes, whatever the archive says of its size."""
    monkeypatch.setattr(audit.bundle, "LARGEST_FILE", 1_000_000)
    bomb = _archive(("plan.json", b"\x00" * 10_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(BundleError, match="it has more than 1000000 bytes"):
        unzipped(bomb)
    lying = bomb.replace(struct.pack("<L", 10_000_000), struct.pack("<L", 10))
    with pytest.raises(BundleError):
        unzipped(lying)
    monkeypatch.setattr(audit.bundle, "LARGEST", 1_500_000)
    with pytest.raises(BundleError, match="it has more than"):
        unzipped(_archive(("plan.json", b"\x00" * 900_000), (LOG, b"\x00" * 900_000)))


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.bundle, "MOST_FILES", 3)
    with pytest.raises(BundleError, match="more than 3 files"):
        unzipped(_archive(*((f"checkpoints/{number:06}.txt", b"x") for number in range(9))))


def test_a_file_that_is_encrypted_or_packed_otherwise_is_refused() -> None:
    archive = bytearray(_archive(("plan.json", b"{}")))
    central = archive.index(b"PK\x01\x02")
    archive[6] |= 1
    archive[central + 8] |= 1
    with pytest.raises(BundleError, match="encrypted"):
        unzipped(bytes(archive))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as other:
        other.writestr("plan.json", b"{}")
    with pytest.raises(BundleError, match="packed in a way"):
        unzipped(out.getvalue())


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing", zlib.compress(b"x"), b"\x00" * 99])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be unpacked"):
        unzipped(content)


def test_an_archive_with_nothing_in_it_proves_nothing() -> None:
    files = unzipped(b"PK\x05\x06" + b"\x00" * 18)
    [found] = verify(files, WHOLE.trusted, WHOLE.version).wrong
    assert found.sentence == "manifest.json: it is missing"


def test_a_changed_byte_of_the_archive_changes_nothing_or_is_found() -> None:
    """Some bytes of an archive say nothing about its files, such as their times: what is read is the same then."""
    draw = random.Random("archive")
    refused = 0
    for at in draw.sample(range(len(ARCHIVE)), 300):
        changed = bytearray(ARCHIVE)
        changed[at] ^= 1 << draw.randrange(8)
        try:
            files = unzipped(bytes(changed))
        except BundleError:
            refused += 1
            continue
        if files != FILES:
            assert verify(files, WHOLE.trusted, WHOLE.version).wrong
    assert refused > 200


def test_a_truncated_archive_is_refused() -> None:
    for size in random.Random("cut").sample(range(len(ARCHIVE)), 40):
        with pytest.raises(BundleError):
            unzipped(ARCHIVE[:size])
