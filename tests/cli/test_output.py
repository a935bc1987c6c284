"""How commands speak: pure JSON, plain tables, nothing that steers a terminal, one sentence for what is wrong."""

from __future__ import annotations

import json

import pytest

from cli import output, progress
from cli.output import MEANING, Exit, clean, emit_json, one_line, table
from tests.cli.conftest import Terminal

REPLACED = "\N{REPLACEMENT CHARACTER}"
STEERING = "\x00\x07\x08\x1b\x7f\x80\x9b\u202e\u2066\r"


def test_control_characters_and_reversed_text_are_replaced_one_for_one() -> None:
    found = clean(f"a{STEERING}b\nc")
    assert found == "a" + REPLACED * len(STEERING) + "b\nc"
    assert one_line(" a\n\tb  c ") == "a b c"


def test_a_json_document_holds_every_text_unchanged_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"reason": f"片 {STEERING}\n"}
    emit_json("receipt", data)
    emit_json("receipt", data, compact=True)
    printed = capsys.readouterr().out
    assert not set(STEERING) & set(printed)
    whole, line = printed.rsplit("\n", 2)[0], printed.splitlines()[-1]
    assert json.loads(line) == json.loads(whole) == {"version": 1, "kind": "receipt", "data": data}
    assert "片" in printed


def test_a_table_without_a_terminal_is_one_line_a_row_and_one_long_cell_pushes_only_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 200
    table("name", "what", "end", rows=[("a", "one\ntwo\x1b[2J", "z"), ("b", long, "z")])
    printed = capsys.readouterr().out.splitlines()
    replaced = f"one two{REPLACED}[2J"
    assert printed[0].split() == ["name", "what", "end"]
    assert printed[1] == f"a     {replaced.ljust(output.NARROW)}  z"
    assert printed[2] == f"b     {long}  z"


def test_progress_without_a_terminal_is_a_line_a_tenth_whatever_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("facts") as advance:
        for done in (1, 2, 3, 30, 31, 100, 100):
            advance(done, 100)
    assert capsys.readouterr().err.splitlines() == ["facts: 30 %", "facts: 100 %"]
    with progress.bar("an empty file") as advance:
        advance(0, 0)
    assert capsys.readouterr().err == "an empty file: 100 %\n"


def test_waiting_without_a_terminal_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.waiting("Ending \x1b[2J"):
        pass
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"Ending {REPLACED}[2J ...\n")


def test_every_exit_code_has_one_meaning() -> None:
    assert set(MEANING) == set(Exit)
    assert len(set(MEANING.values())) == len(Exit)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("get",), "Missing argument 'NAME'. (`rollouts get --help` shows how.)"),
        (("get", "a", "b"), "Got unexpected extra argument(s) (b). (`rollouts get --help` shows how.)"),
        (("get", "a", "--nope"), "No such option: --nope. (`rollouts get --help` shows how.)"),
        (
            ("list", "-o", "xml"),
            "Invalid value for '-o' / '--output': 'xml' is not one of 'table', 'json'. (`rollouts list --help` shows "
            "how.)",
        ),
        (("nope",), "No such command 'nope'. (`rollouts --help` shows how.)"),
        (("plan", "nope"), "No such command 'nope'. (`rollouts plan --help` shows how.)"),
    ],
)
async def test_a_wrong_command_line_is_told_in_one_sentence(
    nowhere: Terminal, words: tuple[str, ...], told: str
) -> None:
    found = await nowhere(*words)
    assert (found.code, found.out, found.err) == (Exit.BAD_INPUT, "", f"{told}\n")


async def test_the_real_program_tells_a_wrong_command_line_as_well(nowhere: Terminal) -> None:
    found = await nowhere.program("get", "--nope\x1b[2J")
    assert (found.code, found.out) == (Exit.BAD_INPUT, "")
    assert "No such option" in found.err
    assert "\x1b" not in found.err


async def test_help_lists_the_exit_codes_and_a_command_without_words_shows_help(nowhere: Terminal) -> None:
    found = await nowhere.program("--help")
    assert found.code == Exit.OK
    for code, meaning in MEANING.items():
        assert f"{code.value} {meaning}"[:40] in " ".join(found.out.split())
    bare = await nowhere("data")
    assert bare.code == Exit.BAD_INPUT
    assert "generate" in bare.out
