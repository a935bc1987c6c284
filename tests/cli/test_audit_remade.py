"""A history that replays proves what its rollout wrote down: entries that log and history tell alike, and the code does
not, are found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.findings import Gap
from audit.verify import verify, with_replays
from cli.audit_replay import replay
from tests.audit.exhibits import Sample, of_history, whole
from tests.audit.insiders import each_entry, entries_in


def changed(sample: Sample, sequence: int, **changes: Any) -> Sample:
    """The same with an entry that says something else, in the log and in what the history has of it."""

    def edit(body: Any) -> Any:
        for one in entries_in(body):
            if one.get("sequence") == sequence:
                one |= changes
        return body

    return each_entry(sample, edit)


async def found(sample: Sample) -> list[tuple[str, Gap | None]]:
    bundle = sample.bundle()
    report = verify(bundle, sample.trusted, sample.version)
    assert report.wrong == ()
    report = with_replays(report, await replay(bundle, sample.version))
    return [(one.sentence, one.gap) for one in report.findings]


async def test_what_log_and_history_tell_alike_is_what_the_code_makes_of_the_requests() -> None:
    assert await found(whole()) == []


async def test_an_entry_that_the_code_does_not_write_like_that_is_found_though_log_and_history_agree() -> None:
    """Somebody was refused, and is said to have asked for something else."""
    refused = next(one for one in whole().entries() if one.message.startswith("Review checkpoint 1 is due"))
    forged = changed(whole(), refused.sequence, kind="notice")
    told = "by its history the code writes another kind (found notice, expected review)"
    assert await found(forged) == [(f"entry {refused.sequence}: {told}", None)]


async def test_other_words_are_told_and_not_called_wrong_because_releases_change_theirs() -> None:
    first = whole().entries()[9]
    forged = changed(whole(), first.sequence, message="Plan communicated to nobody")
    told = "entries that this release has other words for: 1, this one first"
    assert await found(forged) == [(f"entry {first.sequence}: {told}", Gap.REPLAY)]


@pytest.mark.parametrize("name", ["fewer_owner_alone", "fewer_both_names"])
async def test_a_resume_in_an_owners_place_is_told_by_each_run_as_it_began_to(name: str) -> None:
    sample = of_history(name)
    replays = await replay(sample.bundle(), sample.version)
    assert (replays.done, replays.problems, replays.otherwise) == (1, {}, {})


async def test_entries_of_an_earlier_release_follow_from_the_same_rules() -> None:
    sample = of_history("breach_pause_resume")
    replays = await replay(sample.bundle(), sample.version)
    assert (replays.done, replays.problems, replays.otherwise) == (1, {}, {})
    assert replays.reworded
    assert json.loads(sample.leaves[0])["entry"]["detail"] == {}
