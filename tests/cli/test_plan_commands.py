"""`rollouts plan` as the program that people run: exit codes, what goes to stdout, and files that stay as they were."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from cli.plan_reference import SCHEMA_FILE
from cli.plan_template import plan_template
from cli.planfile import parse_plan
from models.base import format_duration, short
from tests.plans import judged_by_change, make_plan, plan_data

PROGRAM = Path(sys.executable).with_name("rollouts")
OK, BAD_INPUT = 0, 2
EVERYTHING = {
    "owners": [{**one, "contact": f"desk-{one['role']}@example.com"} for one in plan_data()["owners"]],
    "cohorts": {
        "pilot": {
            "name": "pilot-one",
            "select": {"tier": ["gold-tier", "iron"], "region": ["emea"], "type": ["msp"], "limit": 37},
        },
        "control": {"name": "the-control", "partners": ["C-001", "C-002"]},
        "waves": [{"name": "wave-last", "select": {"region": ["apac"]}, "bake": "11d"}],
    },
    "weighted_pass": 0.65,
    "metrics": [
        {
            **plan_data()["metrics"][0],
            "warning": [">= 91"],
            "tolerance": {"in_a_row": 2, "in_all": 9, "cannot_tell": 6, "no_evidence_in_a_row": 4},
            "minimum_sample": {"partners": 7, "facts": 17},
            "freshness": "13d",
            "on_breach": "stop",
        },
        {**plan_data()["metrics"][1], "must": False, "weight": 2.5, "tolerance": {"met_in_a_row": 3}},
    ],
    "approvals": {
        **plan_data()["approvals"],
        "pilot_to_validate": {"roles": ["revops_owner"], "due": "19d", "remind_before": "5d"},
        "override": {"roles": ["sponsor", "finance_owner"], "quorum": 2, "required": ["finance_owner"], "due": "6d"},
    },
    "stop_conditions": [*plan_data()["stop_conditions"], {"condition": "a regulator objects"}],
    "freeze_windows": [{"name": "closing", "start": "2026-12-20T00:00:00Z", "end": "2027-01-06T00:00:00Z"}],
}
"""Fields of a plan that says everything a plan can say."""


class Told(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        document = json.loads(self.out)
        assert document["version"] == 1
        return document["data"]


def rollouts(folder: Path, *words: str, stdin: bytes = b"") -> Told:
    """The program, as it is installed."""
    done = subprocess.run(
        [PROGRAM, "plan", *words], cwd=folder, input=stdin, capture_output=True, timeout=60, check=False
    )
    return Told(done.returncode, done.stdout.decode(), done.stderr.decode())


def quickly(folder: Path, *words: str, stdin: bytes = b"") -> Told:
    """The same commands without a process of their own, which is most of what one costs."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, ["plan", *words], input=stdin, prog_name="rollouts")
    return Told(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with one good plan and one with two problems."""
    text = yaml.safe_dump(plan_data(), sort_keys=False, allow_unicode=True)
    (tmp_path / "good.yaml").write_text(text, encoding="utf-8")
    bad = text.replace("chosen: B", "chosen: D").replace("  pilot: 30d", "  pilot: 30 days")
    (tmp_path / "bad.yaml").write_text(bad, encoding="utf-8")
    return tmp_path


def test_validate_says_of_every_file_whether_it_holds(folder: Path) -> None:
    told = rollouts(folder, "validate", "good.yaml", "bad.yaml", "missing.yaml")
    lines = (folder / "bad.yaml").read_text(encoding="utf-8").splitlines()
    chosen, pilot = lines.index("chosen: D") + 1, lines.index("  pilot: 30 days") + 1
    assert (told.code, told.out) == (BAD_INPUT, "")
    assert told.err.splitlines() == [
        f"good.yaml: valid, plan {short(make_plan().digest)}",
        "good.yaml: warning: metrics.1.window: a window of 4w whose data may be 1w old need not hold a closed month; "
        "books are closed by the month, and 69d always hold one",
        f"bad.yaml:{chosen}:9: chosen: found 'D'; allowed: A, B, C",
        f"bad.yaml:{pilot}:10: phases.pilot: '30 days' is not a duration; write for example 90d, 2w, 36h, 30m or 1d12h",
        "missing.yaml:1:1: cannot be read: No such file or directory",
        "What the cohort can show was not looked at; --from-history asks the store.",
    ]
    assert quickly(folder, "validate", "good.yaml").code == OK


def test_validate_for_scripts_is_one_document_with_the_place_of_every_problem(folder: Path) -> None:
    told = quickly(folder, "validate", "good.yaml", "bad.yaml", "-o", "json")
    assert (told.code, told.err) == (BAD_INPUT, "")
    good, bad = told.data
    (warning,) = good.pop("warnings")
    assert warning["field"] == "metrics.1.window"
    assert good == {"file": "good.yaml", "valid": True, "digest": make_plan().digest, "problems": []}
    assert (bad["file"], bad["valid"], bad["digest"]) == ("bad.yaml", False, None)
    assert [(one["field"], one["column"]) for one in bad["problems"]] == [("chosen", 9), ("phases.pilot", 10)]
    assert all(one.keys() == {"file", "line", "column", "field", "message"} for one in bad["problems"])


def test_a_plan_is_read_from_standard_input(folder: Path) -> None:
    good = (folder / "good.yaml").read_bytes()
    assert rollouts(folder, "validate", "-", "-o", "json", stdin=good).data[0]["digest"] == make_plan().digest
    told = rollouts(folder, "show", "-", stdin=b"title: 7\n\xe9")
    assert (told.code, told.out) == (BAD_INPUT, "")
    assert told.err == "standard input:2:1: byte 0xe9 is not UTF-8; save the file as UTF-8\n"


def test_new_writes_a_plan_that_validates_and_never_over_another(folder: Path) -> None:
    told = rollouts(folder, "new", "first-change", "--option", "c")
    assert (told.code, told.out) == (OK, "")
    assert told.err == "written first-change.yaml; edit it, then `rollouts plan validate first-change.yaml`\n"
    file = folder / "first-change.yaml"
    plan = parse_plan(file.read_text(encoding="utf-8"), "plan.yaml")
    assert (plan.id, plan.chosen.value) == ("first-change", "C")
    file.write_text("mine\n", encoding="utf-8")
    again = rollouts(folder, "new", "first-change")
    assert (again.code, again.err) == (BAD_INPUT, "first-change.yaml exists; --force writes over it.\n")
    assert file.read_text(encoding="utf-8") == "mine\n"
    assert quickly(folder, "new", "first-change", "--force").code == OK
    assert file.read_text(encoding="utf-8") == plan_template("first-change", "B")
    assert sorted(path.name for path in folder.iterdir()) == ["bad.yaml", "first-change.yaml", "good.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Not a Name"], "the id is 'Not a Name'; allowed: 2 to 63 lower-case letters, digits and hyphens"),
        (["../up"], "the id is '../up'; allowed: 2 to 63 lower-case letters"),
        (["a-plan", "--option", "D"], "'D' is not one of 'a', 'b', 'c'"),
        (["a-plan", "-o", "nowhere/plan.yaml"], "nowhere/plan.yaml cannot be written: No such file or directory."),
        (["a-plan", "-o", ".", "--force"], ". cannot be written: "),
    ],
)
def test_new_refuses_what_it_cannot_do_and_leaves_nothing(folder: Path, words: list[str], said: str) -> None:
    before = sorted(folder.rglob("*"))
    told = quickly(folder, "new", *words)
    assert (told.code, told.out) == (BAD_INPUT, "")
    assert said in " ".join(told.err.replace("│", " ").split())
    assert "Traceback" not in told.err
    assert sorted(folder.rglob("*")) == before


def test_new_and_validate_work_in_a_pipe(folder: Path) -> None:
    written = rollouts(folder, "new", "piped", "-o", "-")
    assert (written.code, written.err) == (OK, "")
    assert rollouts(folder, "validate", "-", stdin=written.out.encode()).code == OK
    assert not (folder / "-").exists()


def test_a_plan_may_name_acceptance_which_is_shown_with_its_limits(folder: Path) -> None:
    text = (folder / "good.yaml").read_text(encoding="utf-8")
    line = json.dumps(
        {"metric": "lead_acceptance", "window": "28d", "thresholds": [">= 83"], "freshness": "7d"}
        | {"minimum_sample": {"partners": 5, "facts": 50}}
    )
    before, cohorts, after = text.partition("\nmetrics:\n")
    (folder / "good.yaml").write_text(f"{before}{cohorts}- {line}\n{after}", encoding="utf-8")
    assert quickly(folder, "validate", "good.yaml").code == OK
    shown = quickly(folder, "show", "good.yaml")
    assert shown.code == OK
    assert "Lead acceptance" in shown.out
    assert ">= 83" in shown.out
    # Its breaches can be seen coming; it is no metric of money.
    for field, code, told in (
        ('"warn_ahead": "8h"', OK, "valid"),
        ('"data_quality": [{"check": "costs", "red": 25}]', BAD_INPUT, "costs is not checked of lead_acceptance"),
    ):
        (folder / "other.yaml").write_text(f"{before}{cohorts}- {line[:-1]}, {field}}}\n{after}", encoding="utf-8")
        checked = quickly(folder, "validate", "other.yaml")
        assert checked.code == code
        assert told in checked.err


def test_schema_prints_the_published_schema(folder: Path) -> None:
    told = rollouts(folder, "schema")
    assert (told.code, told.err) == (OK, "")
    assert told.out == SCHEMA_FILE.read_text(encoding="utf-8")


def test_show_refuses_what_is_no_plan_with_the_same_words_as_validate(folder: Path) -> None:
    told = quickly(folder, "show", "bad.yaml")
    assert (told.code, told.out) == (BAD_INPUT, "")
    assert told.err == quickly(folder, "validate", "bad.yaml").err


def test_show_for_scripts_is_the_plan_as_it_was_read(folder: Path) -> None:
    data = quickly(folder, "show", "good.yaml", "-o", "json").data
    digest = data.pop("digest")
    again = parse_plan(json.dumps(data), "plan.yaml")
    assert (again, again.digest) == (make_plan(), digest)


def _leaves(value: Any) -> Iterator[Any]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    if inside is None:
        yield value
    else:
        for one in inside:
            yield from _leaves(one)


def test_show_leaves_out_nothing_that_is_signed(folder: Path) -> None:
    """Whoever signs has seen every text, name, number and duration."""
    plan = make_plan(**EVERYTHING)
    (folder / "all.yaml").write_text(plan.model_dump_json(by_alias=True), encoding="utf-8")
    told = quickly(folder, "show", "all.yaml")
    assert told.code == OK
    # Shown by their title, by what they do, or as what they are by default.
    otherwise = {metric.metric.value for metric in plan.metrics} | {one.metric.value for one in plan.not_measured}
    otherwise.add("pause")  # of an outcome, which holds at its gate
    dumped = plan.model_dump()
    missing = []
    for leaf in _leaves(dumped):
        text = format_duration(leaf) if isinstance(leaf, timedelta) else str(leaf)
        if hasattr(leaf, "isoformat"):
            text = leaf.isoformat()
        if isinstance(leaf, bool) or leaf is None or text in otherwise:
            continue
        if text.removesuffix(".0") not in told.out:
            missing.append(text)
    # A threshold is shown in one piece, as it is written.
    parts = {
        str(part) for metric in plan.metrics for limit in metric.thresholds for part in _leaves(limit.model_dump())
    }
    assert [text for text in missing if text not in parts | {"85.0", "91.0", "40.0"}] == []
    for title in ("Lead follow-up SLA", "Partner contribution margin", "Pipeline velocity", "Compliance score"):
        assert title in told.out
    for limit in (">= 85", ">= 91", ">= 20", ">= 40"):
        assert limit in told.out


def test_show_tells_in_words_how_a_change_is_judged(folder: Path) -> None:
    plan = make_plan(**judged_by_change(margin="7pp", maturity="4d", pause_risk=0.1, pass_risk=0.02))
    (folder / "change.yaml").write_text(plan.model_dump_json(by_alias=True), encoding="utf-8")
    told = " ".join(quickly(folder, "show", "change.yaml").out.split())
    for part in (
        "no more than 7pp worse than in comparable partners",
        "Lead follow-up SLA, since its baseline against control: not met when it is proven to have got worse at all, "
        "and by 7pp at the best estimate; met when it is proven not to have got worse by 7pp",
        "once they are 4d old",
        "found worse in 10 of 100 at most",
        "found met in 2 of 100. Method 2",
    ):
        assert part in told
    plan = make_plan(**judged_by_change(strict=True))
    (folder / "change.yaml").write_text(plan.model_dump_json(by_alias=True), encoding="utf-8")
    assert "proven to have got worse by 5pp; met" in " ".join(quickly(folder, "show", "change.yaml").out.split())


@pytest.mark.parametrize(
    ("option", "course"),
    [
        ("A", "prepare → measure pilot, enrol nobody, 2w → review → close"),
        ("B", "prepare → pilot 90d → validate 2w → wave-emea 2w → wave-rest 2w → close"),
        ("C", "prepare → everybody at once (pilot, wave-emea, wave-rest) 90d → close"),
    ],
)
def test_show_tells_the_course_of_the_chosen_option(folder: Path, option: str, course: str) -> None:
    told = quickly(folder, "show", "-", stdin=plan_template("a-plan", option).encode())
    assert course in told.out.splitlines()
