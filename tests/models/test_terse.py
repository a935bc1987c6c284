"""A record that does not say again what it has said is read as the record that it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.log import EntryKind, LogEntry
from models.rollout import Notice
from models.terse import entries_in_full, entries_in_short, notices_in_full
from models.work import ITS_OWN, EnrolRequest, RecordRequest, RolloutKey, StandingBrief

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = RolloutKey(rollout_id="rebate", chain_id="chain")
METRICS = ("contribution_margin", "compliance_score")
STANDING = StandingBrief(phase="pilot", status="running", sentence="Running pilot.", since=AT, open=True)


def entry(number: int, at: datetime = AT, **changes: Any) -> LogEntry:
    fields: dict[str, Any] = {"kind": EntryKind.PHASE, "phase": "pilot", "message": f"entry {number}"}
    return LogEntry(**{"sequence": number, "at": at, "programme_at": at - timedelta(days=9), **fields, **changes})


def judged(number: int, *cohorts: str, **other: str) -> LogEntry:
    verdicts = {f"{cohort}/{metric}": "met" for cohort in cohorts for metric in METRICS}
    verdicts |= {name.replace("__", "/"): verdict for name, verdict in other.items()}
    detail = {"as_of": "2026-01-05T00:00:00+00:00", "verdicts": verdicts}
    return entry(number, kind=EntryKind.ASSESSMENT, evidence_digest="sha256:e", detail=detail)


def notice(number: int, **changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "notice_id": f"rebate/chain/{number}/awaiting",
        "kind": "awaiting",
        "roles": ("sponsor",),
        "subject": "it waits",
        "body": "for you",
        "programme_at": AT - timedelta(days=9),
        "evidence_digest": "sha256:e",
        "must_act": ("sponsor",),
        "to": ("sponsor@example.com",),
    }
    return Notice(**{**fields, **changes})


def record(*entries: LogEntry, notices: tuple[Notice, ...] = (), **changes: Any) -> RecordRequest:
    return RecordRequest(key=KEY, entries=entries, standing=STANDING, notices=notices, once=True, **changes)


RECORDS = {
    "one entry": record(entry(1)),
    "the same moment": record(entry(1), entry(2), entry(3)),
    "another moment": record(entry(1), entry(2, AT + timedelta(seconds=1)), entry(3, AT + timedelta(seconds=1))),
    "another phase and back": record(entry(1), entry(2, phase="scale wave 1"), entry(3)),
    "all met": record(judged(4, "pilot", "wave-one")),
    "nothing judged": record(judged(4)),
    "one is not met": record(judged(4, "pilot", pilot__compliance_score="not met")),
    "one is not there": record(judged(4, "pilot", wave__compliance_score="met")),
    "a letter": record(judged(4, "pilot"), notices=(notice(4),)),
    "a letter for all to read": record(judged(4, "pilot"), notices=(notice(4, must_act=()),)),
    "a letter for others to act on": record(judged(4, "pilot"), notices=(notice(4, must_act=("finance_owner",)),)),
    "a letter to the audiences": record(judged(4, "pilot"), notices=(notice(4, roles=(), must_act=()),)),
    "a letter of another moment": record(judged(4, "pilot"), notices=(notice(4, programme_at=AT),)),
    "a letter about an earlier record": record(judged(4, "pilot"), notices=(notice(3),)),
    "a letter of another chain": record(judged(4), notices=(notice(4, notice_id="rebate/other/4/awaiting"),)),
    "a letter that is called otherwise": record(judged(4), notices=(notice(4, notice_id="rebate/chain/4/x"),)),
    "a number that is written otherwise": record(judged(4), notices=(notice(4, notice_id="rebate/chain/04/awaiting"),)),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_read_as_what_was_written(name: str) -> None:
    short = RECORDS[name]
    long = short.model_copy(update={"once": False})
    assert RecordRequest.model_validate_json(short.model_dump_json()) == long
    assert RecordRequest.model_validate_json(long.model_dump_json()) == long
    counted = short.model_copy(update={"counted": True})
    assert RecordRequest.model_validate_json(counted.model_dump_json()) == long


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_leaves_out_of_which_rollout_it_is_is_read_as_that_of_whoever_asks(name: str) -> None:
    short = RECORDS[name]
    written = short.of(ITS_OWN).model_dump_json()
    assert "key" not in json.loads(written)
    assert RecordRequest.model_validate_json(written).of(KEY) == short.model_copy(update={"once": False})


def test_what_the_entry_before_has_said_is_not_said_again() -> None:
    first, second, third = json.loads(record(entry(1), entry(2), entry(3, AT + timedelta(1))).model_dump_json())[
        "entries"
    ]
    assert {"at", "programme_at", "phase"} <= first.keys()
    assert second == {"sequence": 2, "kind": "phase", "message": "entry 2"}
    assert third.keys() - second.keys() == {"at", "programme_at"}


def test_entries_that_follow_one_another_bear_no_number_and_name_the_same_evidence_once() -> None:
    evidence: dict[str, Any] = {"evidence_digest": "sha256:" + "e" * 64}
    entries = (entry(7), entry(8, **evidence), entry(9, **evidence), entry(12, evidence_digest="sha256:f"), entry(13))
    short = record(*entries, counted=True)
    said = json.loads(short.model_dump_json())["entries"]
    assert [one.get("sequence") for one in said] == [7, None, None, 12, None]
    assert [one.get("evidence_of") for one in said] == [None, None, 8, None, None]
    assert RecordRequest.model_validate_json(short.model_dump_json()).entries == entries
    assert [one.get("sequence") for one in entries_in_short(said_whole(entries), counted=False)] == [7, 8, 9, 12, 13]


def said_whole(entries: tuple[LogEntry, ...]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json", exclude_defaults=True) for one in entries]


@pytest.mark.parametrize("named", ["of 8", "8", "evidence_of", '{"evidence_of": 8}'])
def test_evidence_that_somebody_names_in_our_words_stays_what_they_sent(named: str) -> None:
    """What a person says of their evidence stands in an entry as it was sent: none of it is taken for a reference."""
    entries = (entry(8, evidence_digest="sha256:e"), entry(9, evidence_digest=named))
    short = record(*entries, counted=True)
    assert RecordRequest.model_validate_json(short.model_dump_json()).entries == entries


@pytest.mark.parametrize("place", [9, 12, "8", [8], None, {}])
def test_a_reference_to_no_entry_above_stays_as_it_is_and_is_no_entry(place: Any) -> None:
    said = [{"sequence": 8, "evidence_digest": "sha256:e"}, {"sequence": 9, "evidence_of": place}]
    assert entries_in_full(said) == said


def test_verdicts_that_are_all_the_same_are_said_once() -> None:
    [said] = json.loads(record(judged(4, "pilot", "wave-one")).model_dump_json())["entries"]
    assert said["detail"]["verdicts"] == {"all": "met", "of": ["pilot", "wave-one"], "in": list(METRICS)}
    [said] = json.loads(record(judged(4, "pilot", pilot__compliance_score="not met")).model_dump_json())["entries"]
    assert said["detail"]["verdicts"] == {"pilot/contribution_margin": "met", "pilot/compliance_score": "not met"}


def test_a_letter_names_the_entry_that_says_the_rest() -> None:
    [said] = json.loads(record(judged(4, "pilot"), notices=(notice(4),)).model_dump_json())["notices"]
    assert said.keys() == {"about", "kind", "roles", "subject", "body", "to"}
    assert said["about"] == 4


def test_an_enrolment_does_not_say_twice_of_which_rollout_it_is() -> None:
    request = EnrolRequest(
        key=KEY, phase="pilot", cohort="pilot", cohorts_digest="sha256:c", at=AT, record=record(entry(1))
    )
    written = request.model_dump_json()
    assert "key" not in json.loads(written)["record"]
    long = request.model_copy(update={"record": record(entry(1)).model_copy(update={"once": False})})
    assert EnrolRequest.model_validate_json(written) == long
    assert EnrolRequest.model_validate_json(long.model_dump_json()) == long


def test_an_enrolment_that_leaves_out_of_which_rollout_it_is_takes_its_record_and_letters_along() -> None:
    taken = record(judged(4, "pilot"), notices=(notice(4),))
    request = EnrolRequest(key=KEY, phase="pilot", cohort="pilot", cohorts_digest="sha256:c", at=AT, record=taken)
    written = request.of(ITS_OWN).model_dump_json()
    assert "rebate" not in written
    found = EnrolRequest.model_validate_json(written).of(KEY)
    assert found.record == taken.model_copy(update={"once": False})
    assert found.key == KEY


def test_a_record_of_a_standing_that_was_told_before_has_none() -> None:
    written = RecordRequest(key=KEY, entries=(entry(1),), once=True).model_dump_json()
    assert "standing" not in json.loads(written)
    assert RecordRequest.model_validate_json(written).standing is None


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["no entry", 7, None],
        [{"sequence": 1}],
        [{"detail": {"verdicts": {"all": "met", "of": 3, "in": None}}}],
        [{"detail": {"verdicts": ["met"]}}, {"detail": []}],
    ],
)
def test_what_is_no_entry_is_given_back_as_it_is(said: list[Any]) -> None:
    """An auditor reads histories that anybody may have written."""
    assert entries_in_full(said) == said
    assert notices_in_full([{"about": [1]}, {"about": 1}, "x"], said, "") == [{"about": [1]}, {"about": 1}, "x"] or said


def test_entries_that_say_everything_are_read_as_they_are() -> None:
    whole = [one.model_dump(mode="json", exclude_defaults=True) for one in (entry(1), judged(2, "pilot"), entry(3))]
    assert entries_in_full(whole) == whole
    assert entries_in_full(entries_in_short(whole)) == whole
