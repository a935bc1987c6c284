"""What is kept of a rollout is made of plan, log and readings as they were, and can be held against them."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache

from cli.planfile import parse_plan
from learning.record import decision_record
from models.kept import DRAFT, INDEX, READINGS, misfits, sha256_of
from models.learning import Readings
from models.log import LogEntry
from record.keeping import DOCUMENTS, Left, compared, difference, left_behind, result_of
from record.words import LANGUAGES
from record.writing import files
from tests.learning.stories import PLAN, paused_and_finished, stopped_in_pilot
from tests.learning.stories import READINGS as READ
from tests.workflows.simulator import Simulator


@cache
def log() -> tuple[LogEntry, ...]:
    return tuple(paused_and_finished().recorded)


@cache
def left() -> Left:
    return left_behind(PLAN, log(), READ)


def test_every_file_of_the_record_is_kept_in_every_language_as_it_is_written() -> None:
    made = decision_record(PLAN, log(), READ)
    for language in LANGUAGES:
        for path, text in files(made, language).items():
            assert left().files[f"{language}/{path}"] == text.encode()
    assert set(left().result.documents) == DOCUMENTS
    assert misfits(left().result, left().files) == ()
    listed = json.loads(left().files[INDEX])
    assert listed == {path: sha256_of(content) for path, content in left().files.items() if path != INDEX}


def test_the_draft_that_is_kept_is_a_plan_of_the_day_of_the_last_entry() -> None:
    plan = parse_plan(left().files[DRAFT].decode(), DRAFT)
    assert (plan.id, plan.updated) == (f"{PLAN.id}-2", log()[-1].at.date())
    assert plan.supersedes is not None
    assert plan.supersedes.plan_digest == PLAN.digest


def test_what_comes_behind_the_last_entry_changes_nothing() -> None:
    early = READ.judged[-1]
    late = early.model_copy(update={"as_of": log()[-1].programme_at + timedelta(seconds=1)})
    assert left_behind(PLAN, log(), READ.model_copy(update={"judged": (*READ.judged, late)})) == left()


def test_where_there_can_be_no_draft_the_reason_is_said_and_the_record_is_kept_all_the_same() -> None:
    rollout = Simulator(PLAN)
    made = left_behind(PLAN, rollout.recorded, Readings())
    assert DRAFT not in made.files
    assert made.result.no_draft is not None
    assert made.result.no_draft.startswith(f"{PLAN.id} never left prepare: no gate was passed")
    assert set(made.result.documents) == DOCUMENTS - {DRAFT}
    assert result_of(made.files, PLAN, rollout.recorded, Readings()) == made.result


def test_made_anew_of_the_same_it_is_the_same_and_what_is_said_of_it_too() -> None:
    assert compared(left().files, PLAN, log(), READ) == (None, 0)
    assert result_of(left().files, PLAN, log(), READ) == left().result


def test_a_reading_that_comes_later_is_counted_and_is_none_of_what_was_kept() -> None:
    late = READ.judged[-1].model_copy(update={"as_of": READ.judged[-1].as_of + timedelta(minutes=1), "value": 1.0})
    now = READ.model_copy(update={"judged": (*READ.judged, late)})
    assert compared(left().files, PLAN, log(), now) == (None, 1)


def test_a_reading_or_a_baseline_that_is_another_one_now_is_told() -> None:
    first, *rest = READ.judged
    other = first.model_copy(update={"value": 12.25})
    for judged in ((other, *rest), tuple(rest)):
        differs, _ = compared(left().files, PLAN, log(), READ.model_copy(update={"judged": judged}))
        assert differs is not None
        assert (
            f"does not have a reading that it was made of as it was then: {first.metric} of {first.cohort}" in differs
        )
    differs, _ = compared(left().files, PLAN, log(), READ.model_copy(update={"baselines": READ.baselines[1:]}))
    assert differs is not None
    assert differs.endswith("as it was then: a baseline")


def test_an_entry_that_says_something_else_now_is_told_with_its_line() -> None:
    at = next(at for at, one in enumerate(log()) if one.rationale and one.gate)
    changed = (*log()[:at], log()[at].model_copy(update={"rationale": "nobody said why"}), *log()[at + 1 :])
    differs, _ = compared(left().files, PLAN, changed, READ)
    assert differs is not None
    assert differs.startswith("en/")
    assert "nobody said why" in differs


def test_readings_that_cannot_be_read_any_more_are_no_agreement() -> None:
    differs, _ = compared({**left().files, READINGS: b'{"judged": 3}'}, PLAN, log(), READ)
    assert differs == "this release cannot read the readings that were kept"


def test_what_is_only_in_one_of_two_is_a_difference_and_another_look_of_the_page_is_none() -> None:
    kept = {"en/record.md": b"one\ntwo\n", "en/record.html": b"<p>"}
    assert difference(kept, {**kept, "en/record.html": b"<p class=x>"}) is None
    assert difference(kept, {"en/record.md": b"one\ntwo\nthree\n"}) == (
        "en/record.md, line 3: kept nothing, made anew 'three'"
    )
    assert difference(kept, {}) == "en/record.md is only among what was kept"
    assert difference({}, kept) == "en/record.md is not among what was kept"
    assert difference({"a.md": b"x"}, {"a.md": b"x\n"}) == "a.md, in its line breaks"


def test_a_stopped_rollout_s_record_says_so() -> None:
    made = left_behind(PLAN, stopped_in_pilot().recorded, READ)
    assert "Stopped before the end of the plan." in made.files["en/record.md"].decode()
    assert b"was stopped: " in made.files[DRAFT]
