"""docs/cli.md says what the commands are: it is written from them, and every example in it can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

import cli
from cli.main import app
from cli.reference import KINDS, TARGET, commands_of, text

COMMANDS = [(" ".join(words), found) for words, found in commands_of(typer.main.get_command(app))]


def test_the_reference_is_what_the_commands_say() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "stale; write it anew with `python -m cli.reference`"


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_every_command_has_an_example_that_can_be_typed(words: str, command: Any) -> None:
    example = getattr(command, "epilog", None) or ""
    assert example.startswith("Example: ")
    typed = shlex.split(example.removeprefix("Example: ").partition(" > ")[0])
    while "=" in typed[0]:
        typed.pop(0)
    assert typed[0] == "rollouts"
    assert typed[1:][: len(words.split())] == words.split()
    options = typed[1 + len(words.split()) :]
    # Raises where it is not accepted.
    command.make_context(words, options)


def test_every_kind_of_document_that_a_command_prints_is_described_and_no_other() -> None:
    sources = [file.read_text(encoding="utf-8") for file in Path(cli.__file__).parent.glob("*.py")]
    printed = {kind for source in sources for kind in re.findall(r'emit_json\(\s*"([a-z-]+)"', source)}
    assert printed == set(KINDS)
