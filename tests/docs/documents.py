"""The documents of the repository: their commands and their links, as a reader finds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)

_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")


class Command(NamedTuple):
    """One command line of a document, without its comment."""

    document: Path
    text: str


def commands(document: Path) -> Iterator[Command]:
    """The lines of the shell blocks, in order; a line that ends with a backslash goes on in the next."""
    for block in _FENCE.findall((ROOT / document).read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            text = re.sub(r"\s+#.*$", "", line).strip()
            if text and not text.startswith("#"):
                yield Command(document, text)


def links(document: Path) -> Iterator[str]:
    """The links to other files of the repository."""
    for target in _LINK.findall((ROOT / document).read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            yield target
