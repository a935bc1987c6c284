"""The letters of a bundle are held against the log: what was changed, left out or slipped in is found and named."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.bundle import LOG
from audit.checking_letters import letters_file
from audit.exhibit import read_plan
from audit.findings import Check, Gap, Report
from audit.letters import held, with_letters
from audit.timeline import Row, Source, Wanted, as_markdown, cells, row_of
from audit.trail import Kind
from audit.tree import leaf_hash, root
from audit.verify import verify
from models.canonical import canonical
from models.letter import PROGRAMS, OutboxLetter, letters_of, named, quoted
from models.rollout import Notice
from tests.audit.exhibits import Sample, letter_to, of_history, sealed, whole

NEW = replace(of_history("logged_pause"), histories=[])
"""A rollout whose log names its letters; its history and its evidence are looked at elsewhere."""
PLAN = read_plan(NEW.plan)
OLD = replace(of_history("happy"), histories=[])
"""One of a release whose log named none."""


def letters(sample: Sample = NEW) -> list[OutboxLetter]:
    return [OutboxLetter.model_validate_json(line) for line in (sample.letters or b"").splitlines()]


def look(given: list[OutboxLetter] | bytes | None, sample: Sample = NEW) -> Report:
    content = letters_file(given) if isinstance(given, list) else given
    report = verify(replace(sample, letters=content).bundle(), sample.trusted, sample.version)
    assert not [one for one in report.findings if "it cannot be examined" in one.what]
    return report


def found(report: Report) -> list[str]:
    """What is wrong with the letters, and nothing else is, but for the evidence that these bundles do not have."""
    assert {one.check for one in report.wrong} <= {Check.LETTERS, Check.EVIDENCE}
    return [one.sentence for one in report.wrong if one.check is Check.LETTERS]


def at(kind: str, contact: str = PROGRAMS) -> int:
    return next(n for n, one in enumerate(letters()) if (one.kind, one.contact) == (kind, contact))


def changed(place: int, **update: Any) -> list[OutboxLetter]:
    return [one.model_copy(update=update) if n == place else one for n, one in enumerate(letters())]


def test_every_letter_of_a_rollout_is_named_by_its_log() -> None:
    report = look(letters())
    assert found(report) == []
    assert report.proven.letters == len(letters()) > 20
    kinds = {one.kind for one in letters()}
    assert kinds >= {"communicate", "confirm", "awaiting", "paused", "resumed", "checkpoint-due", "checkpoint-missed"}
    assert Gap.LETTERS not in {one.gap for one in report.findings}


def test_a_bundle_of_before_and_a_log_that_names_none_are_what_they_were() -> None:
    for sample in (OLD, replace(whole(), histories=[], evidence={})):
        assert sample.letters is None
        report = look(None, sample)
        assert found(report) == []
        assert (report.proven.letters, Gap.LETTERS in {one.gap for one in report.findings}) == (0, False)
        assert "letters" not in report.line


CHANGES: dict[str, Callable[[OutboxLetter], dict[str, Any]]] = {
    "body": lambda one: {"body": one.body + "!"},
    "subject": lambda one: {"subject": one.subject.upper()},
    "gate": lambda one: {"about": {**one.about, "gate": "pilot_to_validate"}},
    "must act": lambda one: {"about": {**one.about, "must_act": []}},
    "due": lambda one: {"about": {**one.about, "due": "2030-01-01T00:00:00Z"}},
    "evidence": lambda one: {"about": {**one.about, "evidence_digest": "sha256:" + "0" * 64}},
    "cause": lambda one: {"about": {**one.about, "cause": "person"}},
    "when": lambda one: {"about": {**one.about, "programme_at": "2020-01-01T00:00:00Z"}},
}


@pytest.mark.parametrize("what", sorted(CHANGES))
def test_a_changed_letter_is_found_and_named_with_its_entry(what: str) -> None:
    place = at("awaiting")
    [told] = found(look(changed(place, **CHANGES[what](letters()[place]))))
    assert f"line {place + 1}: the letter is not the one that the log names" in told
    assert "/awaiting to '*'" in told
    assert "entry " in told
    assert "expected sha256:" in told


def test_a_notice_that_was_changed_for_all_is_told_once() -> None:
    lines = [one.model_copy(update={"body": "all is well"}) if one.kind == "paused" else one for one in letters()]
    [told] = found(look(lines))
    assert "the letter is not the one that the log names" in told


def test_a_letter_left_out_is_missed_by_name() -> None:
    gone = "sam.sponsor@example.com"
    lines = [one for one in letters() if (one.kind, one.contact) != ("confirm", gone)]
    [told] = found(look(lines))
    assert "a letter that the log names is missing" in told
    assert f"/confirm to {gone!r}" in told
    [told] = found(look([one for one in letters() if (one.kind, one.contact) != ("confirm", PROGRAMS)]))
    assert "the letter for programs is missing" in told


def test_a_notice_of_which_no_letter_is_left_is_missed() -> None:
    [told] = found(look([one for one in letters() if one.kind != "paused"]))
    assert "a letter that the log names is missing" in told
    assert "expected paused about entry " in told


def test_a_letter_to_somebody_else_is_found() -> None:
    """Also where it went beside those that were meant, and where it went in the place of one."""
    place = at("awaiting", "sam.sponsor@example.com")
    more = letters()[place].model_copy(update={"contact": "eve@example.com"})
    [told] = found(look([*letters(), more]))
    assert "a letter goes to somebody to whom none was written" in told
    assert "'eve@example.com'" in told
    missing, extra = found(look(changed(place, contact="eve@example.com")))
    assert "is missing" in missing
    assert "'sam.sponsor@example.com'" in missing
    assert "'eve@example.com'" in extra


def test_a_letter_that_the_log_does_not_name_is_found_wherever_it_is_slipped_in() -> None:
    entries = NEW.entries()
    for about, kind, told in (
        (entries[-1].sequence - 5, "resumed", "the log does not name this letter"),
        (entries[-1].sequence + 1, "resumed", "about an entry that the log does not have"),
    ):
        notice = Notice(
            notice_id=f"{NEW.rollout}/{NEW.chain}/{about}/{kind}", kind=kind, roles=(), subject="s", body="b"
        )
        [sentence] = found(look([*letters(), letter_to(PLAN, notice, PROGRAMS)]))
        assert told in sentence
    for known, told in (
        ("another/chain/3/paused", "of another rollout"),
        (f"{NEW.rollout}/{NEW.chain}/12/resumed", "of another kind than its id says"),
        (f"{NEW.rollout}/{NEW.chain}/whatever", "the log does not name this letter"),
        (f"{NEW.rollout}/{NEW.chain}/alarm/terminated", "the log does not name this letter"),
    ):
        notice = Notice(notice_id=known, kind="paused", roles=(), subject="s", body="b")
        [sentence] = found(look([*letters(), letter_to(PLAN, notice, PROGRAMS)]))
        assert told in sentence


WARNING = letter_to(
    PLAN,
    Notice(
        notice_id=f"{NEW.rollout}/{NEW.chain}/warning/pilot/lead_follow_up_sla/2026-02-01",
        kind="warning",
        roles=("revops_owner",),
        subject="SLA is about to breach",
        body="...",
    ),
    "rev.ops@example.com",
    state="waiting",
    attempts=3,
    delivered=(),
    problem="smtp: no answer",
    sent_at=None,
    next_try_at=datetime(2026, 11, 26, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("kind", ["warning", "data-untrusted"])
def test_letters_of_the_watch_are_no_fault_and_no_proof(kind: str) -> None:
    of_kind = WARNING.model_copy(update={"kind": kind, "notice": WARNING.notice.replace("/warning/", f"/{kind}/")})
    report = look([*letters(), of_kind])
    assert found(report) == []
    [gap] = [one for one in report.findings if one.gap is Gap.LETTERS]
    assert "the log does not name 1 letter: 1 of the watch or the sweep" in gap.what
    assert "not proven: " in look([*letters(), of_kind]).model_copy(update={"findings": (gap,)}).line
    assert report.proven.letters == len(letters())


def test_letters_of_before_the_log_named_any_are_not_proven_by_it() -> None:
    """A rollout that began with an earlier release and goes on with this one, at its next run."""
    first = min(one.about for entry in NEW.entries() for one in letters_of(entry.detail))
    early = Notice(
        notice_id=f"{NEW.rollout}/{NEW.chain}/{first - 1}/paused", kind="paused", roles=(), subject="s", body="b"
    )
    report = look([*letters(), letter_to(PLAN, early, PROGRAMS)])
    assert found(report) == []
    assert Gap.LETTERS in {one.gap for one in report.findings}
    old = read_plan(OLD.plan)
    notice = Notice(notice_id=f"{OLD.rollout}/{OLD.chain}/9/paused", kind="paused", roles=(), subject="s", body="b")
    report = look([letter_to(old, notice, PROGRAMS)], OLD)
    assert found(report) == []
    assert Gap.LETTERS in {one.gap for one in report.findings}


def test_a_bundle_without_the_letters_that_its_log_names_is_wrong() -> None:
    [told] = found(look(None))
    assert "letters.jsonl: the log names" in told
    assert "the bundle has no letters" in told


def test_a_letter_quotes_a_checkpoint_of_this_very_log_or_is_found() -> None:
    place, size = at("paused"), 12
    good = base64.b64encode(root([leaf_hash(one) for one in NEW.leaves[:size]])).decode()
    other = base64.b64encode(b"1" * 32).decode()

    def quoting(root: str, said: str | None = None, over: int = size) -> list[OutboxLetter]:
        one, note = letters()[place], f"origin\n{over}\n{root}\n"
        log = {"number": 1, "size": size, "checkpoint": note}
        return changed(place, body=one.body + (said or quoted(1, size, note)), about={**one.about, "log": log})

    assert found(look(quoting(good))) == []
    assert found(look(changed(place, about=quoting(good)[place].about))), "it does not say what programs were told"
    [told] = found(look(quoting(other)))
    assert "quotes a checkpoint over 12 entries that is not of this log" in told
    [told] = found(look(quoting(good, over=13)))
    assert "found a checkpoint over 13 entries" in told
    odd: tuple[Any, ...] = ("x", {}, {"number": 1}, {"number": 1, "size": "12", "checkpoint": ""}, [], 7)
    for log in odd:
        assert found(look(changed(place, about={**letters()[place].about, "log": log})))


def test_the_log_cannot_be_made_to_name_another_letter() -> None:
    """Its entries are under the tree: what they name is signed."""
    number = next(n for n, entry in enumerate(NEW.entries()) if letters_of(entry.detail))
    leaf = json.loads(NEW.leaves[number])
    leaf["entry"]["detail"]["letters"][0]["digest"] = "sha256:" + "0" * 64
    leaves = [*NEW.leaves[:number], canonical(leaf), *NEW.leaves[number + 1 :]]
    content = b"".join(one + b"\n" for one in leaves)
    report = verify(sealed(NEW, {**NEW.files(), LOG: content}), NEW.trusted, "another")
    assert {Check.CHECKPOINTS, Check.LETTERS} <= {one.check for one in report.wrong}


@pytest.mark.parametrize("named_so", ["x", [1], [{"kind": "paused"}], [{"about": 1, "kind": "x", "digest": 3}], {}])
def test_a_log_that_names_letters_in_a_way_that_cannot_be_read_is_told_as_such(named_so: Any) -> None:
    leaf = json.loads(NEW.leaves[-1])
    leaf["entry"]["detail"] = {"letters": named_so}
    [told] = found(look(letters(), replace(NEW, leaves=[*NEW.leaves[:-1], canonical(leaf)])))
    assert "the log does not say which letters it names" in told


def test_a_letter_named_twice_is_told() -> None:
    leaf, at_entry = json.loads(NEW.leaves[-1]), next(one for one in NEW.entries() if letters_of(one.detail))
    leaf["entry"]["detail"] = at_entry.detail
    [told] = found(look(letters(), replace(NEW, leaves=[*NEW.leaves[:-1], canonical(leaf)])))
    assert "a second time" in told


def test_any_changed_byte_of_what_a_letter_says_is_found() -> None:
    content = letters_file(letters())
    draw = random.Random("letters")
    caught = 0
    for place in draw.sample(range(len(content)), 80):
        byte = bytes([content[place] ^ (1 << draw.randrange(7))])
        other = content[:place] + byte + content[place + 1 :]
        if found(look(other)):
            caught += 1
            continue
        # What has become of a letter, and where the rollout stood, the log does not name: the outbox alone says it.
        theirs = map(json.loads, other.splitlines())
        assert [_bound(one) for one in theirs] == [_bound(json.loads(one)) for one in content.splitlines()]
    assert caught > 40


def _bound(line: dict[str, Any]) -> tuple[Any, ...]:
    """What the log's digest is over."""
    about = ("cause", "due", "evidence_digest", "gate", "must_act", "programme_at")
    said = [line["about"][name] for name in about]
    return (*(line[name] for name in ("notice", "contact", "kind", "subject", "body")), said)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"x", "the last line does not end"),
        (b"x\n", "line 1 is no letter: it is not JSON"),
        (b"[]\n", "line 1 is no letter"),
        (b"{}\n", "line 1 is no letter: notice: "),
        (b'{"notice": "a"}\n', "line 1 is no letter"),
        (b'{"a":1,"a":2}\n', "something is said twice"),
        (letters_file(letters()[:1]).replace(b'":', b'": ', 1), "not written canonically"),
        (letters_file(letters()[:1]) * 2, "line 2 is a letter that is there already"),
    ],
    ids=["cut off", "no JSON", "a list", "empty", "one field", "twice", "spaces", "repeated"],
)
def test_a_file_that_holds_no_letters_is_told_by_its_line(content: bytes, told: str) -> None:
    assert told in found(look(content))[0]


def timeline(given: list[OutboxLetter]) -> tuple[Row, ...]:
    rows = [row_of("run", entry) for entry in NEW.entries()]
    return with_letters(rows, PLAN, (NEW.rollout, NEW.chain), NEW.entries(), given)


def test_the_timeline_tells_beside_an_entry_what_has_become_of_its_letters() -> None:
    rows = timeline([*letters(), WARNING])
    [asked] = [row for row in rows if row.letters.startswith("awaiting: ") and "prepare_to_pilot" in row.what]
    assert "to sam.sponsor@example.com: sent by maildir 2026-11-26 00:00:00" in asked.letters
    assert "to programs: sent" in asked.letters
    [begun] = [row for row in rows if row.letters.startswith("communicate: ")]
    assert " | confirm: to " in begun.letters
    assert [row for row in rows if row.disagrees] == []
    [beside] = [row for row in rows if row.source is Source.OUTBOX]
    assert (beside.kind, beside.what, beside.entries) == (Kind.LETTER, "letter warning", ())
    assert "no entry of the log names it" in beside.message
    assert beside.letters == "to rev.ops@example.com: waiting after 3 tries (smtp: no answer)"
    assert Wanted(kind="letter").takes(beside)
    assert Wanted(kind="notice").takes(beside)
    assert asked.letters in cells(asked)
    assert "Letters: awaiting" in as_markdown("x", rows)


def test_the_timeline_tells_where_the_outbox_and_the_log_disagree() -> None:
    place = at("awaiting")
    [odd] = [row for row in timeline(changed(place, subject="another")) if row.disagrees]
    assert "the letter is not the one that the log names" in (odd.disagrees or "")
    [odd] = [row for row in timeline([one for one in letters() if one.kind != "paused"]) if row.disagrees]
    assert "is missing" in (odd.disagrees or "")
    forged = Notice(notice_id=f"{NEW.rollout}/{NEW.chain}/20/stopped", kind="stopped", roles=(), subject="s", body="b")
    [odd] = [row for row in timeline([*letters(), letter_to(PLAN, forged, PROGRAMS)]) if row.disagrees]
    assert (odd.source, odd.what) == (Source.OUTBOX, "letter stopped")


def test_a_letter_is_the_same_whoever_it_is_listed_for_first() -> None:
    notice = Notice(notice_id="p/c/1/paused", kind="paused", roles=("sponsor",), subject="s", body="b")
    one = named(PLAN, notice, 1, ("a@example.com", "b@example.com"))
    assert one == named(PLAN, notice, 1, ("b@example.com", "a@example.com", PROGRAMS))
    assert one.digest != named(PLAN, notice, 1, ("a@example.com",)).digest


def test_who_is_missing_is_not_guessed_without_the_plan() -> None:
    """Only that it is not what the log names can be said then."""
    gone = [one for one in letters() if (one.kind, one.contact) != ("confirm", "sam.sponsor@example.com")]
    [fault] = held(None, NEW.rollout, NEW.chain, NEW.entries(), gone).faults
    assert "not the one that the log names" in fault.what
