"""One timeline from two sources: who tells of each row, where they differ, and files that harm nobody."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.history import entry_of
from audit.timeline import COLUMNS, Row, Source, Wanted, as_markdown, cells, merged
from audit.trail import Kind, Line, lines_of, once, settle
from console.pages.csvtext import write_rows
from models.command import DailyWord
from models.log import LogEntry
from tests.audit.exhibits import whole

SAMPLE = whole()
LINES = once([line for run_id, history in SAMPLE.histories for line in lines_of(run_id, history["events"])])
RECORDED = {
    entry.sequence: entry for line in LINES if line.kind is Kind.ENTRY and (entry := entry_of(line)) is not None
}
LOG = {entry.sequence: ("run", entry) for entry in SAMPLE.entries()}


def timeline(
    log: dict[int, tuple[str, LogEntry]] = LOG,
    lines: list[Line] = LINES,
    recorded: dict[int, LogEntry] = RECORDED,
    *,
    complete: bool = True,
    closed: bool = True,
) -> tuple[Row, ...]:
    return merged(settle(lines), recorded, log, complete=complete, closed=closed)


def test_each_entry_stands_in_it_once_and_both_sources_tell_of_it() -> None:
    rows = timeline()
    numbers = sorted(number for row in rows for number in row.entries)
    assert numbers == list(range(1, 55))
    assert {row.source for row in rows if row.entries} == {Source.BOTH}
    assert [row for row in rows if row.disagrees] == []
    assert [row.at for row in rows] == sorted(row.at for row in rows)


def test_a_daily_word_reads_alike_whether_it_says_little_or_everything() -> None:
    word = DailyWord(as_of=datetime(2026, 1, 5, tzinfo=UTC), evidence_digest="sha256:0123456789abcdef")
    [short], [long] = (lines_of("run", [signalled(said.model_dump_json())]) for said in (word, word.at_length()))
    assert short.model_copy(update={"arguments": ()}) == long.model_copy(update={"arguments": ()})
    assert (short.kind, short.who, short.why) == (Kind.WORD, "partner-watch", "nothing has changed")
    assert short.arguments[0].keys() == {"as_of", "evidence_digest"}


def test_a_change_that_names_nobody_is_no_daily_word() -> None:
    said = {"as_of": "2026-01-05T00:00:00Z", "evidence_digest": "sha256:0", "changed": True}
    [line] = lines_of("run", [signalled(json.dumps(said))])
    assert (line.kind, line.request_id) == (Kind.REQUEST, None)


def signalled(said: str) -> dict[str, Any]:
    payload = {"metadata": {"encoding": encoded("json/plain")}, "data": encoded(said)}
    sent = {"signalName": "report_evidence", "input": {"payloads": [payload]}}
    return {
        "eventId": "7",
        "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
        "workflowExecutionSignaledEventAttributes": sent,
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_what_is_past_retention_comes_from_the_log_alone_and_says_so() -> None:
    lines = [line for line in LINES if not line.entries or line.entries[0] > 20]
    rows = timeline(lines=lines, recorded={n: one for n, one in RECORDED.items() if n > 20}, complete=False)
    alone = [row for row in rows if row.source is Source.LOG]
    assert [row.entries[0] for row in alone] == list(range(1, 21))
    assert [row for row in alone if row.disagrees] == []
    assert {row.event_id for row in alone} == {0}


def test_an_entry_in_whose_words_the_sources_differ_is_told_with_both() -> None:
    run_id, entry = LOG[12]
    rows = timeline({**LOG, 12: (run_id, entry.model_copy(update={"message": "rewritten"}))})
    [odd] = [row for row in rows if row.disagrees]
    assert 12 in odd.entries
    assert "entry 12: message is 'rewritten' in the log" in (odd.disagrees or "")


@pytest.mark.parametrize(("closed", "missing", "told"), [(True, 54, True), (False, 54, False), (False, 30, True)])
def test_an_entry_that_the_log_lacks_is_a_disagreement_unless_it_is_on_its_way(
    closed: bool, missing: int, told: bool
) -> None:
    rows = timeline({number: one for number, one in LOG.items() if number != missing}, closed=closed)
    [row] = [row for row in rows if missing in row.entries]
    assert row.source is Source.HISTORY
    assert (row.disagrees == f"the log does not have entry {missing}") is told


def test_an_entry_that_the_workflow_never_wrote_is_a_disagreement() -> None:
    forged = LOG[54][1].model_copy(update={"sequence": 55})
    [odd] = [row for row in timeline({**LOG, 55: ("run", forged)}) if row.disagrees]
    assert (odd.entries, odd.source) == ((55,), Source.LOG)
    assert odd.disagrees == "the workflow never wrote it, by its history"
    # While it runs, an entry may have been written since the history was read.
    assert not [row for row in timeline({**LOG, 55: ("run", forged)}, closed=False) if row.disagrees]


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(kind="request"), lambda row: row.kind is Kind.REQUEST),
        (Wanted(kind="enrolment"), lambda row: row.entry_kind == "enrolment"),
        (Wanted(verb="decide"), lambda row: row.verb == "decide"),
        (Wanted(who="SAM"), lambda row: "sam" in row.who),
        (Wanted(phase="scale"), lambda row: row.phase.startswith("scale")),
        (Wanted(phase="scale wave 2"), lambda row: row.phase == "scale wave 2"),
        (Wanted(refused=True), lambda row: row.outcome == "refused"),
        (Wanted(words="enrolled"), lambda row: "enrolled" in f"{row.what} {row.message} {row.why}".lower()),
    ],
)
def test_filters_take_what_they_say_and_nothing_else(wanted: Wanted, takes: Any) -> None:
    rows = timeline()
    found = [row for row in rows if wanted.takes(row)]
    assert found == [row for row in rows if takes(row)]
    assert 0 < len(found) < len(rows)


def test_a_stretch_of_time_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    rows = timeline()
    first, last = rows[5].at, rows[40].at
    found = [row for row in rows if Wanted(since=first, until=last).takes(row)]
    assert found == [row for row in rows if first <= row.at < last]


def _row(**said: Any) -> Row:
    at = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=1)
    return Row(at=at, run_id="r", event_id=1, kind=Kind.REQUEST, source=Source.HISTORY, **{"what": "pause", **said})


def test_no_cell_of_the_file_is_a_formula() -> None:
    text = write_rows([COLUMNS, cells(_row(why="=HYPERLINK(1)", who="+cmd", message="@x"))])
    [_, row] = csv.reader(io.StringIO(text))
    assert len(row) == len(COLUMNS)
    assert {"'=HYPERLINK(1)", "'+cmd", "'@x"} <= set(row)


def test_nothing_that_somebody_wrote_means_anything_to_markdown() -> None:
    text = as_markdown("x", [_row(why="# gone\n- [a](http://x) <script> `b` *c*")])
    assert "\\# gone - \\[a\\](http://x) \\<script\\> \\`b\\` \\*c\\*" in text
    assert len(text.splitlines()) == 4
