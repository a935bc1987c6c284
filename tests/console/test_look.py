"""How pages look: colours in which text can be read, nothing from elsewhere, nothing inline, files that are known."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from console.pages.render import STATIC, asset

TEMPLATES = STATIC.parent / "templates"
VENDOR = Path(__file__).parent / "vendor"
CSS = (STATIC / "console.css").read_text()

READ_ON = [
    ("ink", "ground"),
    ("ink", "surface"),
    ("muted", "ground"),
    ("muted", "surface"),
    ("accent", "ground"),
    ("accent", "surface"),
    ("on-accent", "accent"),
    ("bad", "surface"),
    ("ink", "act-ground"),
    ("muted", "act-ground"),
    *((tone, f"{tone}-ground") for tone in ("good", "warn", "bad", "act")),
]
"""Text and what it stands on."""


def colours(dark: bool) -> dict[str, str]:
    light, _, rest = CSS.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rest)) if dark else {})


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("text", "ground"), READ_ON)
def test_text_can_be_read_on_what_it_stands_on(text: str, ground: str, dark: bool) -> None:
    found = colours(dark)
    high, low = sorted((luminance(found[text]), luminance(found[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_dark_has_every_colour_that_light_has() -> None:
    light, _, dark = CSS.partition("@media (prefers-color-scheme: dark)")
    assert set(re.findall(r"--([\w-]+): #", light)) == set(re.findall(r"--([\w-]+): #", dark))


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.html")), ids=lambda file: file.name)
def test_a_template_has_no_script_style_or_handler_inline_and_nothing_from_elsewhere(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|hx-vals=.js", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"""(src|href|action)=["'](https?:)?//""", text)
    assert "|safe" not in text.replace(" ", "") or "spark(" in text


@pytest.mark.parametrize(
    ("file", "sha256"),
    [
        # htmx 2.0.11 of npm, Zero-Clause BSD: dist/htmx.min.js.
        (STATIC / "htmx.min.js", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"),
        # axe-core 4.14.1 of npm, MPL-2.0: axe.min.js; it never leaves the tests.
        (VENDOR / "axe.min.js", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_what_others_wrote_is_as_they_published_it(file: Path, sha256: str) -> None:
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    assert file.with_name(file.name.partition(".")[0] + ".LICENSE").exists()


def test_a_file_s_address_changes_with_its_content() -> None:
    content = (STATIC / "console.css").read_bytes()
    assert asset("console.css").endswith(hashlib.sha256(content).hexdigest()[:12])
