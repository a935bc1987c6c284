"""Reading a plan: golden refusals with their places, YAML's surprises, and that nothing but PlanError comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.planfile import MAX_BYTES, PlanError, load_plan, parse_plan
from models.metric import MetricName
from models.plan import RolloutPlan
from tests.plans import make_plan, plan_data

TEXT = yaml.safe_dump(plan_data(), sort_keys=False, allow_unicode=True)


def told(text: str) -> list[str]:
    """Every problem of a text, as people see it."""
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "plan.yaml")
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def replaced(old: str, new: str, text: str = TEXT) -> str:
    """The text with one thing replaced."""
    assert old in text
    return text.replace(old, new, 1)


def place(text: str, wanted: str, after: str = "") -> str:
    """`line:column` of a piece of a text, found by looking for it."""
    position = text.index(wanted, text.index(after))
    return f"{text.count(chr(10), 0, position) + 1}:{position - text.rfind(chr(10), 0, position)}"


def test_a_valid_plan_is_read_as_it_is_written() -> None:
    assert parse_plan(TEXT, "plan.yaml") == make_plan()
    assert parse_plan(TEXT, "plan.yaml").digest == make_plan().digest


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        (
            "- metric: lead_follow_up_sla",
            "- metric: lead_folow_up_sla",
            "lead_folow_up_sla",
            "metrics.0.metric: found 'lead_folow_up_sla', did you mean lead_follow_up_sla?; allowed: "
            + ", ".join(MetricName),
        ),
        (
            "  pilot: 30d",
            "  pilot: 30 days",
            "30 days",
            "phases.pilot: '30 days' is not a duration; write for example 90d, 2w, 36h, 30m or 1d12h",
        ),
        (
            "  pilot: 30d",
            "  pilot: 30",
            "30\n",
            "phases.pilot: found the number 30; allowed: a duration such as 90d, 2w, 36h, 30m or 1d12h",
        ),
        (
            "  cadence: 1d",
            "  cadense: 1d",
            "cadense",
            "phases.cadense: unknown field, did you mean cadence?; allowed here: "
            "baseline_from, baseline_window, cadence, pilot, validate, watchdog",
        ),
        ("  cadence: 1d\n", "", "phases:", "phases.cadence: missing; this field is required"),
        ("title: Test plan\n", "", "schema_version", "title: missing; this field is required"),
        ("chosen: B", "chosen: D", "D\n", "chosen: found 'D'; allowed: A, B, C"),
        ("schema_version: 1", "schema_version: 2", "2\n", "schema_version: found the number 2; allowed: 1"),
        ("title: Test plan", "title: 7", "7\n", "title: found the number 7; allowed: text; put it in quotes"),
        ("title: Test plan", "title: ''", "''", "title: found empty text; should have at least 1 character"),
        ("title: Test plan", "title:", "\nname_variants", "title: found nothing; allowed: text"),
        (
            "proposer: pat.proposer@example.com",
            "proposer: pat",
            "pat\n",
            "proposer: found 'pat'; allowed: an e-mail address such as name@example.com",
        ),
        (
            "id: test-plan",
            "id: Test Plan",
            "Test Plan",
            "id: found 'Test Plan'; allowed: 2 to 63 lower-case letters, digits and hyphens, "
            "not beginning with a hyphen",
        ),
        ("quorum: 2", "quorum: '2'", "'2'", "approvals.validate_to_scale.quorum: found '2'; allowed: a whole number"),
        (
            "'2026-01-05'",
            "2026-13-05",
            "2026-13-05",
            "updated: found '2026-13-05'; allowed: a date such as 2026-01-31",
        ),
        (
            "  - '>= 20'",
            "  - 20%",
            "20%",
            "metrics.1.thresholds.0: '20%' is not a threshold; write for example >= 18 (absolute), "
            ">= -5% (change against the baseline) or >= -2pp (points against the baseline)",
        ),
        (
            "  - '>= 20'",
            "  - 20",
            "20\n",
            "metrics.1.thresholds.0: found the number 20; allowed: a limit in quotes: >= 18 (absolute), "
            ">= -5% (change against the baseline) or >= -2pp (points against the baseline)",
        ),
        (
            "risks:\n- risk: weak data\n  mitigation: hold\n",
            "risks: []\n",
            "risks",
            "risks: found an empty list; should have at least 1 item",
        ),
        (
            "risks:\n- risk: weak data\n  mitigation: hold\n",
            "risks:\n- risk: weak data\n  mitigation: hold\n  shown_by: {metrics: [margin]}\n",
            "margin]",
            f"risks.0.shown_by.metrics.0: found 'margin'; allowed: {', '.join(MetricName)}",
        ),
        (
            "risks:\n- risk: weak data\n  mitigation: hold\n",
            "risks:\n- risk: weak data\n  mitigation: hold\n  shown_by: {metrics: [pipeline_velocity]}\n",
            "pipeline_velocity]",
            "risks.0.shown_by.metrics.0: pipeline_velocity is not among the plan's metrics, so it shows nothing; "
            "they are lead_follow_up_sla, contribution_margin",
        ),
        (
            "risks:\n- risk: weak data\n  mitigation: hold\n",
            "risks:\n- risk: weak data\n  mitigation: hold\n  shown_by: {}\n",
            "shown_by",
            "risks.0.shown_by: names nothing; name at least one of metrics, waits and roles, or leave shown_by out",
        ),
        (
            "  pilot:\n    name: pilot",
            "  pilot:\n    select: {limit: 3}\n    name: pilot",
            "pilot:\n    select",
            "cohorts.pilot: name either partners or select, and not both",
        ),
        (
            "  watchdog: 3d",
            "  watchdog: 3h",
            "3h",
            "phases.watchdog: 3h is no longer than the watch keeps quiet when nothing changes (1d); use more",
        ),
        (
            "  prepare_to_pilot:\n    roles:\n    - sponsor\n    quorum: 1\n    due: 7d\n",
            "",
            "approvals:",
            "approvals.prepare_to_pilot: missing: option B needs prepare_to_pilot and validate_to_scale",
        ),
        (
            "- P002",
            "- P001",
            "P001",
            "cohorts.pilot.partners.1: P001 stands in cohorts.pilot already; a partner belongs to one cohort, once",
        ),
    ],
)
def test_a_problem_is_told_at_its_place(old: str, new: str, at: str, said: str) -> None:
    text = replaced(old, new)
    # Looked for from where the change is; what was taken away is looked for from the top.
    position = TEXT.index(old) if new else 0
    if old == "- P002":
        position = text.index("- P001", text.index("- P001") + 1)
    position = text.index(at, position)
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    assert told(text) == [f"plan.yaml:{line}:{column}: {said}"]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = replaced("title: Test plan", "title: 7\ntitle: again")
    text = replaced("chosen: B", "chosen: D", text)
    text = replaced("'>= 85'", "about 85", text)
    text = replaced("  pilot: 30d", "  pilot: .nan", text)
    text = replaced("  watchdog: 3d", "  watchdogs: 3d", text)
    found = told(text + "weighted_pass: .inf\nbogus: 1\n")
    fields = [problem.split(": ")[1] for problem in found]
    assert fields == [
        "title",
        "title",
        "chosen",
        "metrics.0.thresholds.0",
        "phases.pilot",
        "phases.watchdogs",
        "weighted_pass",
        "bogus",
    ]
    assert [int(problem.split(":")[1]) for problem in found] == sorted(int(one.split(":")[1]) for one in found)


def test_every_broken_rule_has_its_own_place() -> None:
    text = replaced("  watchdog: 3d", "  watchdog: 3h")
    text = replaced("  cadence: 1d", "  cadence: 0d", text)
    text = replaced("    partners: 5", "    partners: 50", text)
    assert [problem.split(": ")[1] for problem in told(text)] == ["metrics.0.minimum_sample.partners", "phases.cadence"]


@pytest.mark.parametrize("number", [".nan", ".NaN", ".inf", "-.inf", "+.INF", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    text = f"{TEXT}weighted_pass: {number}\n"
    line = text.count("\n")
    assert told(text) == [f"plan.yaml:{line}:16: weighted_pass: found {number}; a number must be finite"]


def test_a_duplicate_key_is_told_at_the_second_one() -> None:
    text = f"{TEXT}chosen: A\n"
    line, first = text.count("\n"), place(TEXT, "chosen:").split(":")[0]
    assert told(text) == [
        f"plan.yaml:{line}:1: chosen: the key 'chosen' appears twice; it was first given on line {first}"
    ]
    nested = replaced("  cadence: 1d", "  cadence: 1d\n  'cadence': 2d")
    assert told(nested)[0].startswith(f"plan.yaml:{place(nested, chr(39) + 'cadence')}: phases.cadence: the key")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "trade_off: Coverage",
            "trade_off: *other\nx: Coverage",
            "aliases are not supported; write the value of *other",
        ),
        ("trade_off: Coverage", "*other : 1\ntrade_off: Coverage", "aliases are not supported; write the key out"),
        ("phases:\n", "phases:\n  <<: {pilot: 2d}\n", "merge keys are not supported"),
        ("title: Test plan", "title: !!python/name:os.system x", "the tag !!python/name:os.system is not supported"),
        ("title: Test plan", "title: !secret x", "the tag !secret is not supported"),
        ("title: Test plan", "title: !!binary aGVsbG8=", "the tag !!binary is not supported"),
        ("title: Test plan", "title: !!int x", "'x' is not of the type its tag !!int says"),
        ("title: Test plan", r'title: "\ud800"', "half of a surrogate pair is not a character"),
        ("title: Test plan", r'title: "\e[31mred"', "title: the character U+001B is not allowed"),
        ("title: Test plan", r'title: "a\0b"', "title: the character U+0000 is not allowed"),
        ("title: Test plan", '"\\e[2J": 1\ntitle: Test plan', "the character U+001B is not allowed"),
        ("title: Test plan", "title: " + "9" * 5000, "the number has more than 17 digits"),
        ("title: Test plan", "? [a, b]\n: 1\ntitle: Test plan", "a key must be plain text"),
    ],
)
def test_yaml_that_a_plan_does_not_need_is_refused(old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in told(replaced(old, new)))


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    # Written out it would be longer than any memory: that this ends is what is tested.
    assert sum("aliases are not supported" in problem for problem in told(bomb)) == 118


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "plan.yaml:1:1: the file is empty; `rollouts plan new ID` writes a template"),
        ("# nothing but a comment\n", "plan.yaml:1:1: the file is empty; `rollouts plan new ID` writes a template"),
        ("- a\n- b\n", "plan.yaml:1:1: found a list; a plan is a mapping of fields"),
        ("\n  just words\n", "plan.yaml:2:3: found 'just words'; a plan is a mapping of fields"),
        (
            "a: [1,\n",
            "plan.yaml:2:1: not valid YAML: while parsing a flow node, expected the node content, "
            "but found '<stream end>'",
        ),
        (
            "hello: world\n",
            "plan.yaml:1:1: found 'hello'; no field of a plan is among them; `rollouts plan new ID` writes a template",
        ),
        (
            "{}\n",
            "plan.yaml:1:1: found nothing; no field of a plan is among them; `rollouts plan new ID` writes a template",
        ),
        ("a: b: c\n", "plan.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        (
            "a: 1\n\tb: 2\n",
            "plan.yaml:2:1: not valid YAML: while scanning for the next token, "
            "found character '\\t' that cannot start any token",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "plan.yaml:2:1: not valid YAML: expected a single document in the stream, but found another document",
        ),
        ("a: 1\nb: \x07\n", "plan.yaml:2:4: the character U+0007 is not allowed"),
        ("a: \ud800\n", "plan.yaml:1:4: the character U+D800 is not allowed"),
        ("[" * 5000, "plan.yaml:1:41: not valid YAML: nested more than 40 levels deep"),
    ],
)
def test_what_is_no_plan_at_all_is_one_problem(text: str, said: str) -> None:
    assert told(text) == [said]


def test_an_escape_beyond_unicode_is_refused() -> None:
    (problem,) = told(replaced("title: Test plan", r'title: "\U00110000"'))
    assert "an escape or number that cannot be read" in problem


def test_plain_words_stay_text() -> None:
    """Norway, a code with zeros, a clock time, and what other readers take for booleans or dates."""
    regions = ["NO", "007", "12:30", "yes", "off", "2026-01-05", "0x1F", "1_000"]
    text = replaced("name: pilot\n", f"name: pilot\n    select: {{region: [{', '.join(regions)}]}}\n")
    listed = "    partners:\n" + "".join(f"    - {one}\n" for one in make_plan().cohorts.pilot.partners)
    plan = parse_plan(replaced(listed, "", text), "plan.yaml")
    assert plan.cohorts.pilot.select is not None
    assert plan.cohorts.pilot.select.region == tuple(regions)


def test_names_in_any_script_are_fine(tmp_path: Path) -> None:
    names = ["Sam Sponsor", "Zoë Ångström 😀"]
    text = replaced(f"name: {names[0]}", f"name: {names[1]}")
    file = tmp_path / "план-計画.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    plan = load_plan(file)
    assert plan.owners[0].name == names[1]
    assert plan.name_variants.katakana == "テスト"
    file.write_text(replaced("chosen: B", "chosen: Ж", text), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        load_plan(file)
    assert str(caught.value) == f"{file}:{place(text, 'B', 'chosen:')}: chosen: found 'Ж'; allowed: A, B, C"


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"missing\.yaml:1:1: cannot be read: No such file or directory"):
        load_plan(tmp_path / "missing.yaml")
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        load_plan(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\ntitle: Zoë".encode("latin-1"))
    with pytest.raises(PlanError, match=r"latin\.yaml:2:10: byte 0xeb is not UTF-8"):
        load_plan(latin)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    padding = MAX_BYTES - len(TEXT.encode()) - 1
    file.write_text(TEXT + "#" * padding + "\n", encoding="utf-8")
    assert load_plan(file) == make_plan()
    file.write_text(TEXT + "#" * (padding + 1) + "\n", encoding="utf-8")
    with pytest.raises(PlanError, match="larger than 1,000,000 bytes"):
        load_plan(file)
    with pytest.raises(PlanError, match="larger than 1,000,000 bytes"):
        parse_plan(file.read_text(encoding="utf-8"), "plan.yaml")


# Whatever is in the file, a plan or a PlanError comes out

ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0d", "1d", "9" * 400 + "w", ">= 1", "B", "sponsor", "P001", "mdf_spend", "a@b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
PIECES = [
    "&a ",
    "*a",
    "!!int ",
    "!x",
    "<<: ",
    "? ",
    "- ",
    "{",
    "[",
    "}",
    "]",
    "\n",
    "\t",
    "'",
    '"',
    "|",
    ">",
    "---\n",
    "\x00",
    "\ud800",
    "\\",
    '"\\U00110000"',
    "%YAML 3.0\n",
    ".nan",
    ": ",
    "#",
    "@",
    "\u2028",
    "\x85",
]


def read(text: str) -> RolloutPlan | None:
    """The plan, or None after a PlanError whose problems have places inside the text."""
    problems = []
    try:
        return parse_plan(text, "plan.yaml")
    except PlanError as error:
        problems = list(error.problems)
    lines = len(text.splitlines()) + 1
    assert problems
    assert all(1 <= one.line <= lines and one.column >= 1 and one.message for one in problems)
    return None


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, item in inside for path in _paths(item, (*here, key)))]


PATHS = _paths(plan_data())[1:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(["set", "drop", "rename"]), ODD), min_size=1, max_size=4)
)
def test_any_value_anywhere_is_read_or_refused(changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    data: Any = plan_data()
    for path, how, value in changes:
        here = data
        try:
            for step in path[:-1]:
                here = here[step]
            if how == "set":
                here[path[-1]] = value
            elif how == "drop":
                del here[path[-1]]
            else:
                here[str(value)] = here.pop(path[-1])
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    plan = read(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    if plan is not None:
        assert RolloutPlan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), st.sampled_from(PIECES) | st.text(max_size=5)),
        min_size=1,
        max_size=3,
    )
)
def test_any_edit_of_the_text_is_read_or_refused(edits: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    read(text)
