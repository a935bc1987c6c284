"""Faults in a plan as files that the program is given: place, field, what was found, what is allowed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.plan_template import plan_template

PROGRAM = Path(sys.executable).with_name("rollouts")
TEXT = re.sub(r"    on_breach: .*\n", "", plan_template("a-plan", "B"))
WINDOW = '{name: all year, start: "2026-01-01T00:00:00Z", end: "2027-01-01T00:00:00Z"}'


class Case(NamedTuple):
    """A change to the template, where its problem stands (looked for in the new text), and what is said of it."""

    old: str
    new: str
    at: str
    said: str


CASES = {
    "a misspelt metric": Case(
        "  - metric: lead_follow_up_sla",
        "  - metric: lead_folow_up_sla",
        "lead_folow_up_sla",
        "metrics.5.metric: found 'lead_folow_up_sla', did you mean lead_follow_up_sla?; allowed: contribution_margin, "
        "pipeline_velocity, compliance_score, mdf_spend, enablement_completion, lead_follow_up_sla",
    ),
    "a gate with no judged metric": Case(
        "    thresholds:",
        "    on_breach: warn\n    thresholds:",
        "metrics:   ",
        "metrics: every metric only warns; at least one must decide something",
    ),
    "an owner who cannot be reached": Case(
        ", contact: legal@example.com}",
        "}",
        "{role: compliance_owner",
        "owners.3.contact: missing; this field is required",
    ),
    "an owner with an address that is none": Case(
        "contact: legal@example.com",
        "contact: room 12",
        "room 12",
        "owners.3.contact: found 'room 12'; allowed: an e-mail address such as name@example.com",
    ),
    "a gate that nobody holds": Case(
        "wave: {roles: [sponsor, finance_owner]",
        "wave: {roles: [sponsor, finance_owner, steering_board]",
        "steering_board",
        "approvals.wave.roles.2: no owner holds the role steering_board; owners hold compliance_owner, "
        "enablement_owner, finance_owner, programme_owner, revops_owner, sponsor",
    ),
    "a lone proposer-approver": Case(
        "wave: {roles: [sponsor, finance_owner]",
        "wave: {roles: [programme_owner]",
        "1, due: 7d}\n  override",
        "approvals.wave.quorum: quorum is 1, but only 0 of the roles can be counted (none); each approval comes from "
        "another role, and the proposer does not count",
    ),
    "a freeze window over the whole plan": Case(
        "freeze_windows: []",
        f"freeze_windows: [{WINDOW}]",
        "freeze_windows: [",
        "freeze_windows: frozen for 365d, but what is planned takes 132d; a freeze must not cover the whole plan",
    ),
    "a duplicate key": Case(
        "not_measured: []",
        "not_measured: []\nchosen: A",
        "chosen: A",
        "chosen: the key 'chosen' appears twice; it was first given on line "
        f"{TEXT[: TEXT.index('chosen:')].count(chr(10)) + 1}",
    ),
    "an unknown field": Case(
        "  cadence: 1d",
        "  cadence: 1d\n  cadense: 2d",
        "cadense",
        "phases.cadense: unknown field, did you mean cadence?; allowed here: baseline_from, baseline_window, "
        "cadence, pilot, validate, watchdog",
    ),
    "a number for text": Case(
        "context: What", "context: 7 #", "7 #", "context: found the number 7; allowed: text; put it"
    ),
    "text for a number": Case(
        "quorum: 2  ", "quorum: two", "two  ", "approvals.validate_to_scale.quorum: found 'two'; allo"
    ),
    "a list for a mapping": Case(
        "  pilot: {name", "  pilot: [] #", "pilot: []", "cohorts.pilot: found an empty list; allowed"
    ),
    "a number for a duration": Case(
        "  pilot: 90d", "  pilot: 90", "90\n", "phases.pilot: found the number 90; allowed: a"
    ),
    "a number for a limit": Case(
        'unless: ">= 40"', "unless: 40", "40}", "stop_conditions.3.unless: found the number 40; allowed: a limit in qu"
    ),
    "a limit beyond all numbers": Case(
        'unless: ">= 40"', f'unless: ">= {"9" * 400}"', '">= 999', "stop_conditions.3.unless: '>= 9999999999999999999"
    ),
    "a date that is none": Case(
        "updated: ", "updated: 2026-02-30 #", "2026-02-30", "updated: found '2026-02-30'; allow"
    ),
    "a moment without its zone": Case(
        "freeze_windows: []",
        "freeze_windows: [{name: x, start: 2026-01-01T00:00:00, end: 2026-01-02T00:00:00Z}]",
        "2026-01-01T00:00:00,",
        "freeze_windows.0.start: found '2026-01-01T00:00:00'; allowed: a moment with its time zone",
    ),
    "an alias": Case(
        "context: What", "context: *rationale #", "*rationale", "context: aliases are not supported; write the value of"
    ),
    "a merge key": Case(
        "  cadence: 1d", "  cadence: 1d\n  <<: {x: 1}", "<<", "phases.<<: merge keys are not supported; write"
    ),
    "a tag": Case(
        "context: What", "context: !!python/name:os.system What", "!!", "context: the tag !!python/name:os.system"
    ),
    "a tab": Case(
        "  cadence: 1d", "\tcadence: 1d", "\tcadence", "not valid YAML: while scanning for the next token, found"
    ),
    "a control character": Case(
        "name: The Sponsor", "name: The \x1bSponsor", "\x1b", "the character U+001B is not allowed"
    ),
}


def place(text: str, wanted: str) -> tuple[int, int]:
    position = text.index(wanted)
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the program says of all files, by file."""
    folder = tmp_path_factory.mktemp("refused")
    for name, case in CASES.items():
        assert case.old in TEXT, name
        (folder / name).write_text(TEXT.replace(case.old, case.new), encoding="utf-8")
    (folder / "as it is").write_text(TEXT, encoding="utf-8")
    (folder / "a date that readers take for a date").write_text(TEXT.replace('"', "'"), encoding="utf-8")
    for name, content in RAW.items():
        (folder / name).write_bytes(content)
    (folder / "a directory").mkdir()
    words = [str(PROGRAM), "plan", "validate", *sorted(path.name for path in folder.iterdir())]
    done = subprocess.run([*words, "missing", "-o", "json"], cwd=folder, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, b"")
    return {one["file"]: one for one in json.loads(done.stdout)["data"]}


RAW = {
    "not UTF-8": b"title: Zo\xeb\n",
    "UTF-16": TEXT.encode("utf-16"),
    "an empty file": b"",
    "a huge file": b"#" * 1_000_001,
    "any bytes": bytes(range(256)),
    "another file": b"kind: leads\n",
    "an alias bomb": b"a0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60)),
}
SAID = {
    "not UTF-8": (1, 10, "byte 0xeb is not UTF-8; save the file as UTF-8"),
    "UTF-16": (1, 1, "byte 0xff is not UTF-8; save the file as UTF-8"),
    "an empty file": (1, 1, "the file is empty; `rollouts plan new ID` writes a template"),
    "a huge file": (1, 1, "the file is larger than 1,000,000 bytes; select partners instead of listing them"),
    "any bytes": (2, 118, "byte 0x80 is not UTF-8; save the file as UTF-8"),
    "another file": (1, 1, "found 'kind'; no field of a plan is among them; `rollouts plan new ID` writes a template"),
    "a directory": (1, 1, "cannot be read: Is a directory"),
    "missing": (1, 1, "cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_in_a_plan_is_told_at_its_place(told: dict[str, Any], name: str) -> None:
    case, found = CASES[name], told[name]
    (problem,) = found["problems"]
    line, column = place(TEXT.replace(case.old, case.new), case.at)
    sentence = f"{problem['field']}: {problem['message']}" if problem["field"] else problem["message"]
    assert (found["valid"], problem["line"], problem["column"]) == (False, line, column)
    assert sentence.startswith(case.said)


@pytest.mark.parametrize("name", SAID)
def test_a_file_that_is_no_plan_is_one_problem(told: dict[str, Any], name: str) -> None:
    (problem,) = told[name]["problems"]
    assert (problem["line"], problem["column"], problem["message"]) == SAID[name]


def test_an_alias_bomb_is_refused_alias_by_alias(told: dict[str, Any]) -> None:
    problems = told["an alias bomb"]["problems"]
    assert sum(one["message"].startswith("aliases are not supported") for one in problems) == 118


def test_what_is_right_is_valid_beside_all_that_is_wrong(told: dict[str, Any]) -> None:
    assert told["as it is"]["valid"]
    assert told["a date that readers take for a date"]["digest"] == told["as it is"]["digest"]
    assert sum(one["valid"] for one in told.values()) == 2
