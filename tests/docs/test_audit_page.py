"""The page for auditors shows what it speaks of: a checkpoint that holds by the key beside it."""

from __future__ import annotations

import re

import pytest

from audit.checkpoint import Because, link_of, open_checkpoint
from audit.errors import NotSound
from audit.notes import read_vkey
from tests.docs.documents import ROOT

PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


def test_its_checkpoint_holds_by_its_key_and_every_reason_is_explained() -> None:
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    note, vkey = blocks[0], read_vkey(blocks[1].strip())
    said = open_checkpoint(note.encode(), [vkey])
    assert (said.size, link_of(said).number) == (41, 7)
    with pytest.raises(NotSound):
        open_checkpoint(note.replace("\n41\n", "\n42\n").encode(), [vkey])
    for reason in Because:
        assert f"`{reason.value}`: " in PAGE
