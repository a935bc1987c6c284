"""The agreed rules, walked through once more with logs in which somebody got what they must not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from audit.findings import Check
from audit.verify import verify
from models.canonical import canonical
from tests.audit.exhibits import Sample, of_history, whole, without_entry

Entry = dict[str, Any]


def broken(sample: Sample, *, history: bool = False) -> list[str]:
    """Which rules a log breaks, the log being signed well."""
    sample = sample if history else replace(sample, histories=[])
    report = verify(sample.bundle(), sample.trusted, sample.version)
    return [one.sentence for one in report.wrong if one.check is Check.GATES]


def edited(sample: Sample, is_it: Callable[[Entry], bool], **changes: Any) -> Sample:
    """The log with the first such entry changed."""
    leaves, done = [], False
    for line in sample.leaves:
        leaf = json.loads(line)
        if not done and is_it(leaf["entry"]):
            done = True
            leaf["entry"] |= changes
        leaves.append(canonical(leaf))
    assert done
    return replace(sample, leaves=leaves)


def without(sample: Sample, is_it: Callable[[Entry], bool]) -> Sample:
    """The log without the first such entry, counted anew."""
    number = next(at for at, line in enumerate(sample.leaves, 1) if is_it(json.loads(line)["entry"]))
    return without_entry(sample, number)


def applied(verb: str) -> Callable[[Entry], bool]:
    return lambda entry: entry["verb"] == verb and entry["outcome"] == "applied"


FINANCE = {"actor": "fin.finance@example.com", "role": "finance_owner"}
PROPOSER = {"actor": "pat.proposer@example.com", "role": "programme_owner"}
STRANGER = {"actor": "eve@example.com", "role": "sponsor"}


@pytest.mark.parametrize(
    ("name", "verb", "changes", "told"),
    [
        (
            "happy",
            "decide",
            STRANGER,
            "a decide by eve@example.com as sponsor was applied",
        ),
        ("happy", "decide", FINANCE, "Fin Finance is finance_owner, and decided at prepare_to_pilot, which is for"),
        ("happy", "decide", {"gate": "wave_2"}, "a decision at wave_2 was applied, and that gate was not open"),
        (
            "happy",
            "decide",
            {"evidence_digest": "sha256:x"},
            "a decision on sha256:x was applied; the gate asked",
        ),
        ("happy", "review", FINANCE, "Fin Finance is finance_owner, and held a review"),
        ("happy", "confirm_ownership", {"detail": {"on_behalf_of": "sam.sponsor@example.com"}}, "by somebody else"),
        ("stopped", "stop", FINANCE, "Fin Finance is finance_owner, and agreed to stop, which is for sponsor"),
        ("breach_pause_resume", "resume", FINANCE, "Fin Finance is finance_owner; only"),
        ("breach_pause_resume", "resume", PROPOSER, "Pat Proposer is programme_owner; only"),
        ("override", "override", PROPOSER, "Pat Proposer (programme_owner) agreed to an override, and may not"),
    ],
)
def test_who_got_what_they_must_not_have_is_named(name: str, verb: str, changes: Entry, told: str) -> None:
    sample = of_history(name)
    assert broken(sample) == []
    found = broken(edited(sample, applied(verb), **changes))
    assert found, "no rule is broken"
    assert told in found[0]


def test_a_phase_that_the_plan_does_not_lead_to_is_found() -> None:
    found = broken(without(of_history("happy"), lambda entry: entry["message"].startswith("Entered validate")))
    assert "pilot leads to validate, not to" in found[0]


def test_preparation_without_every_owners_confirmation_is_found() -> None:
    found = broken(without(of_history("happy"), applied("confirm_ownership")))
    assert "preparation was left, and" in found[0]
    assert "had not confirmed their ownership" in found[0]


def test_an_approval_from_before_a_pause_does_not_open_the_gate_behind_it() -> None:
    """A pause voids what was collected: written into the log behind the approval, it leaves the gate without one."""
    sample = of_history("happy")
    at = next(at for at, line in enumerate(sample.leaves) if applied("decide")(json.loads(line)["entry"]))
    pause = json.loads(sample.leaves[at])
    pause["entry"] |= {"kind": "pause", "verb": "pause", "message": "Paused (person): wait", "detail": {"must_act": []}}
    leaves = [*sample.leaves[: at + 1], canonical(pause), *sample.leaves[at + 1 :]]
    counted = []
    for number, line in enumerate(leaves, 1):
        leaf = json.loads(line)
        leaf["sequence"] = leaf["entry"]["sequence"] = number
        counted.append(canonical(leaf))
    found = broken(replace(sample, leaves=counted, sizes=(len(counted),)))
    assert "gate prepare_to_pilot was passed without agreement" in found[0]


def test_an_override_in_force_that_nobody_agreed_to_is_found() -> None:
    sample = of_history("override")
    assert broken(sample, history=True) == []
    found = broken(without(sample, applied("override")), history=True)
    assert any("an override came into force without agreement" in one for one in found)


def test_somebody_who_acted_in_an_owners_place_without_having_been_let_is_found() -> None:
    sample = whole()
    assert broken(sample, history=True) == []
    found = broken(edited(sample, applied("delegate"), outcome="refused"), history=True)
    assert "dana.deputy@example.com acted in the place of Fin Finance, who had not let them" in found[0]


EVE = "eve@example.com"


@pytest.mark.parametrize(
    ("name", "outcome", "changes", "told"),
    [
        (
            "fewer_both_names",
            "pending",
            {"actor": EVE},
            "eve@example.com acted in the place of Sam Sponsor, who had not",
        ),
        ("fewer_both_names", "applied", {"actor": EVE}, "a resume by eve@example.com was applied, and dee.deputy@"),
        (
            "fewer_both_names",
            "applied",
            {"detail": {"on_behalf_of": "fin.finance@example.com"}},
            "whom the plan does not",
        ),
        (
            "fewer_owner_alone",
            "pending",
            {"actor": EVE},
            "eve@example.com acted in the place of Sam Sponsor, who had not",
        ),
        (
            "fewer_owner_alone",
            "applied",
            {"actor": EVE},
            "a resume by eve@example.com as sponsor was applied, whom the",
        ),
        ("fewer_owner_alone", "applied", {"actor": "rev.ops@example.com", "role": "revops_owner"}, "and dee.deputy@"),
    ],
)
def test_a_resume_in_an_owners_place_is_by_whom_they_let_and_asked(
    name: str, outcome: str, changes: Entry, told: str
) -> None:
    """Releases gone by named the owner alone once it took effect."""
    sample = of_history(name)
    assert broken(sample, history=True) == []
    forged = edited(sample, lambda one: (one["verb"], one["outcome"]) == ("resume", outcome), **changes)
    assert any(told in one for one in broken(forged, history=True))


def test_who_stands_in_no_more_when_their_resume_takes_effect_had_been_let_when_they_asked() -> None:
    def later(line: bytes) -> bytes:
        """Behind the end of the delegation, of thirty days, with all that follows."""
        leaf = json.loads(line)
        moment = datetime.fromisoformat(leaf["entry"]["programme_at"])
        leaf["entry"]["programme_at"] = (moment + timedelta(days=40)).isoformat()
        return canonical(leaf)

    sample = of_history("fewer_both_names")
    number = next(at for at, line in enumerate(sample.leaves) if b'"message":"Resumed"' in line)
    leaves = [*sample.leaves[:number], *map(later, sample.leaves[number:])]
    assert broken(replace(sample, leaves=leaves), history=True) == []


def test_a_review_that_the_plan_asks_for_must_have_been_held_before_it_ends() -> None:
    found = broken(without(of_history("maintain"), applied("review")))
    assert "was entered without the review that the plan asks for" in found[0]
