"""Lists as pages show them: by status, words and whom they wait for, the newest first, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from models.clock import ProgrammeClock
from models.evidence import Verdict
from models.log import EntryKind, LogEntry, Outcome
from models.metric import MetricName
from models.plan import OptionKey
from models.reach import cohorts_to_enrol
from models.rollout import Awaited, Phase
from models.transitions import transition
from models.work import OpenRequest, RolloutKey, Standing
from store import log, rollouts
from store.views import (
    entry_of,
    list_lines,
    read_line,
    read_lines,
    read_log_page,
    read_outlines,
    read_partners,
    read_scope,
    read_series,
    read_whole,
    regions,
    tiers,
)
from store.views.series import MOST
from tests.models.changes import REDESIGN
from tests.plans import ISSUER, make_plan, plan_data, signed_data, subject_of

START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ProgrammeClock(real_start=START, programme_start=START)
SAM = "Sam.Sponsor@example.com"


def key(name: str, chain: str = "chain-1") -> RolloutKey:
    return RolloutKey(rollout_id=name, chain_id=chain)


def waiting(*who: str, what: str = "decide prepare_to_pilot") -> tuple[Awaited, ...]:
    return (Awaited(what=what, who=who, since=START, due=START + timedelta(days=7)),)


async def open_one(conn: Any, name: str, number: int = 1, **changes: Any) -> RolloutKey:
    """A rollout in the store, standing as told."""
    plan = make_plan(id=name, title=changes.pop("title", f"Title of {name}"), **changes.pop("plan", {}))
    await rollouts.open_rollout(conn, OpenRequest(key=key(name), plan=plan, plan_digest=plan.digest, clock=CLOCK))
    fields = {"phase": "pilot", "wave": None, "status": "running", "sentence": "goes on", "since": START, "open": True}
    await rollouts.update_standing(conn, key(name), Standing(**(fields | changes)), number)
    return key(name)


async def names(conn: Any, **asked: Any) -> list[str]:
    return [one.key.rollout_id for one in (await list_lines(conn, **asked)).lines]


async def test_a_standing_says_whom_it_waits_for_and_what_comes_next(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        await open_one(conn, "at-gate", awaited=waiting(SAM), next="the pilot is next")
        line = await read_line(conn, "at-gate")
    assert line is not None
    assert (line.awaited, line.next, line.title) == (waiting(SAM), "the pilot is next", "Title of at-gate")


async def test_of_more_than_a_list_holds_the_most_urgent_stand_in_it(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        for name, days in (("in-nine", 9), ("never", None), ("in-two", 2), ("in-five", 5)):
            due = None if days is None else START + timedelta(days=days)
            later = Awaited(what="review", who=(SAM,), since=START, due=START + timedelta(days=30))
            await open_one(conn, name, awaited=(later, Awaited(what="decide", who=(SAM,), since=START, due=due)))
        await open_one(conn, "newest", awaited=(Awaited(what="resume or stop", who=(SAM,), since=START),))
        found = await list_lines(conn, awaiting=SAM, urgent=True, limit=3)
        assert await names(conn, awaiting=SAM, limit=3) == ["newest", "in-five", "in-two"]
    assert ({one.key.rollout_id for one in found.lines}, found.total) == ({"in-two", "in-five", "in-nine"}, 5)


async def test_an_inbox_holds_what_is_open_and_waits_for_that_person_whatever_the_case_of_their_name(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    async with pool.acquire() as conn:
        await open_one(conn, "mine", awaited=waiting("x@example.com", SAM))
        await open_one(conn, "of-others", awaited=waiting("x@example.com"))
        await open_one(conn, "over", awaited=waiting(SAM), open=False)
        assert await names(conn, awaiting="sam.sponsor@EXAMPLE.com") == ["mine"]
        await open_one(conn, "mine", number=2)
        assert await names(conn, awaiting=SAM) == []


async def test_an_owner_whom_the_plan_knows_by_issuer_and_subject_is_found_by_these_and_by_no_address(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    signers = {"owners": signed_data()["owners"]}
    sam = (ISSUER, subject_of(SAM.lower()))
    async with pool.acquire() as conn:
        await open_one(conn, "signed", awaited=waiting(SAM), plan=signers)
        await open_one(conn, "of-another", awaited=waiting("fin.finance@example.com"), plan=signers)
        await open_one(conn, "by-address", awaited=waiting(SAM))
        # The address that the issuer vouches for is another one than the plan has.
        other = "s.sponsor@elsewhere.example.com"
        assert await names(conn, awaiting=other, signer=sam) == ["signed"]
        assert await names(conn, awaiting=SAM, signer=sam) == ["by-address", "signed"]
        # Nobody finds what waits for a namesake at another issuer.
        for somebody in (("https://elsewhere.example.com", sam[1]), (ISSUER, "another"), None):
            assert await names(conn, awaiting=SAM, signer=somebody) == ["by-address"]
        assert await names(conn, awaiting=other, signer=(ISSUER, "another")) == []
        counted = await list_lines(conn, awaiting=SAM, signer=sam, limit=1)
        assert (len(counted.lines), counted.total) == (1, 2)


async def test_filters_are_taken_together_and_signs_of_like_stand_for_themselves(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    async with pool.acquire() as conn:
        await open_one(conn, "one", title="100 % of it")
        await open_one(conn, "two", status="paused")
        await open_one(conn, "three", status="paused", phase="scale", wave=1)
        assert await names(conn, status="paused") == ["three", "two"]
        assert await names(conn, status="paused", phase="scale") == ["three"]
        assert await names(conn, words="100 %") == ["one"]
        assert await names(conn, words="%%") == []
        assert await names(conn, words="TW") == ["two"]
        assert await names(conn, words="_wo") == []


async def test_pages_are_cut_from_one_order_and_know_how_many_there_are(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        for number in range(7):
            await open_one(conn, f"rollout-{number}")
        pages = [await list_lines(conn, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    assert [len(one.lines) for one in pages] == [3, 3, 1, 0]
    assert {one.total for one in pages} == {7}
    found = [line.key.rollout_id for one in pages for line in one.lines]
    assert found == [f"rollout-{number}" for number in reversed(range(7))]


async def test_a_scope_counts_who_is_in_now_and_the_control_group_is_not_planned_to_be(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    async with pool.acquire() as conn:
        one = await open_one(conn, "scoped")
        await conn.execute(
            "insert into partner (partner_id, name, source_system, source_id, known_at)"
            " select 'P' || n, 'Partner ' || n, 'crm', n::text, '2020-01-01Z' from generate_series(1, 6) n"
        )
        for position, (name, partners) in enumerate(
            (("pilot", ["P1", "P2"]), ("control", ["P3"]), ("wave-one", ["P4"]))
        ):
            await conn.execute(
                "insert into rollout_cohort values ($1, $2, $3, $4, $5, $6)",
                *one_key(one),
                position,
                name,
                partners,
                START,
            )
        await conn.execute(
            "insert into enrolment select $1, $2, 'pilot', 0, id, 'pilot', $3 from unnest('{P1,P2}'::text[]) id",
            *one_key(one),
            START,
        )
        await conn.execute("update enrolment set withdrawn_at = $1 where partner_id = 'P2'", START)
        scope = (await read_scope(conn, [one]))[one]
        line = await read_line(conn, "scoped")
        assert await read_whole(conn, "scoped") == (line, await rollouts.read_plan(conn, one), scope)
        assert await read_lines(conn, ["scoped", "no-such"]) == (line,)
        assert await read_whole(conn, "no-such") is None
    assert [(it.name, it.partners, it.enrolled) for it in scope] == [
        ("pilot", 2, 1),
        ("control", 1, 0),
        ("wave-one", 1, 0),
    ]
    assert line is not None
    assert (line.enrolled, line.planned) == (1, 3)


@pytest.mark.parametrize("chosen", OptionKey)
async def test_an_outline_says_of_owners_and_of_the_course_what_its_plan_says(
    chosen: OptionKey, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    approvals = {**plan_data()["approvals"], "prepare_to_scale": REDESIGN}
    changes: dict[str, Any] = {"chosen": chosen.value, "approvals": approvals}
    async with pool.acquire() as conn:
        one = await open_one(conn, "outlined", plan=changes)
        plan, outline = await rollouts.read_plan(conn, one), (await read_outlines(conn, [one]))[one]
    assert plan is not None
    assert (outline.chosen, outline.proposer, outline.owners) == (plan.chosen, plan.proposer, plan.owners)
    assert plan.cohorts.waves, "there are waves to be told of"
    for phase in Phase:
        for wave in (None, *range(1, len(plan.cohorts.waves) + 1)) if phase is Phase.SCALE else (None,):
            assert transition(outline, phase, wave) == transition(plan, phase, wave)
            assert cohorts_to_enrol(outline, phase, wave) == cohorts_to_enrol(plan, phase, wave)
    for owner in plan.owners:
        assert outline.owner(owner.identity.upper()) == owner
        assert outline.holders(owner.role) == plan.holders(owner.role)


async def test_the_newest_chain_is_shown_where_a_plan_was_started_again(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        await open_one(conn, "again")
        plan = make_plan(id="again", title="Title of again")
        later = key("again", "chain-2")
        await rollouts.open_rollout(conn, OpenRequest(key=later, plan=plan, plan_digest=plan.digest, clock=CLOCK))
        [line] = await read_lines(conn, ["again"])
        whole = await read_whole(conn, "again")
    assert whole is not None
    assert (line.key, whole.line.key) == (later, later)


def one_key(one: RolloutKey) -> tuple[str, str]:
    return one.rollout_id, one.chain_id


def entry(number: int, message: str, **more: Any) -> LogEntry:
    fields: dict[str, Any] = {"kind": EntryKind.DECISION, "phase": "pilot", "request_id": f"request-{number}"}
    return LogEntry(sequence=number, at=START, programme_at=START, message=message, **(fields | more))


async def test_the_log_is_read_by_who_what_and_outcome_the_newest_first(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        one = await open_one(conn, "logged")
        entries = [
            entry(1, "approved", actor=SAM, outcome=Outcome.APPLIED, rationale="the margin holds"),
            entry(2, "refused", actor="x@example.com", outcome=Outcome.REFUSED, kind=EntryKind.REFUSAL),
            entry(3, "entered", kind=EntryKind.PHASE, request_id=None),
        ]
        await log.append(conn, one, "run-1", entries)

        async def found(**asked: Any) -> list[int]:
            return [line.entry.sequence for line in (await read_log_page(conn, **asked)).lines]

        assert await found() == [3, 2, 1]
        assert await found(outcome="refused") == [2]
        assert await found(actor="sam.spon") == [1]
        assert await found(words="MARGIN") == [1]
        assert await found(kind="phase", rollout="logged") == [3]
        assert await found(rollout="another") == []
        first = await read_log_page(conn, limit=2)
        assert ([line.entry.sequence for line in first.lines], first.more) == ([3, 2], True)
        told = await entry_of(conn, "logged", "request-2")
        assert told is not None
        assert (told.entry, told.run_id) == (entries[1], "run-1")
        assert await entry_of(conn, "another", "request-2") is None


@pytest.mark.parametrize("readings", [1, MOST, MOST + 1, 5 * MOST + 7])
async def test_a_series_keeps_its_newest_value_and_is_thinned_evenly(
    pool: asyncpg.Pool[asyncpg.Record], readings: int
) -> None:
    async with pool.acquire() as conn:
        one = await open_one(conn, "long")
        await conn.execute(
            "insert into judged_reading"
            " select $1, $2, 'pilot', 'lead_follow_up_sla', $3::timestamptz + n * interval '1h', 'watch', n, 'met',"
            " false, 'sha256:0' from generate_series(1, $4) n",
            *one_key(one),
            START,
            readings,
        )
        points = (await read_series(conn, one))["pilot", MetricName.LEAD_FOLLOW_UP_SLA]
    values = [point.value for point in points]
    assert values == sorted(values, key=lambda value: value or 0)
    assert values[-1] == readings
    assert len(values) <= MOST + 1
    assert len(values) >= min(readings, MOST)
    gaps = {int((after or 0) - (before or 0)) for before, after in pairwise(values[:-1])}
    assert not gaps or max(gaps) - min(gaps) <= 1 or readings <= MOST + 1
    assert {point.verdict for point in points} == {Verdict.MET}


async def test_partners_are_found_by_tier_region_cohort_and_words(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        await conn.execute(
            "insert into partner (partner_id, name, tier, region, source_system, source_id, known_at) values"
            " ('P1', 'Beta', 'gold', 'north', 'crm', '1', '2020-01-01Z'),"
            " ('P2', 'Alpha', 'gold', 'south', 'crm', '2', '2020-01-01Z'),"
            " ('P3', 'Gamma', null, null, 'crm', '3', '2020-01-01Z')"
        )
        one = await open_one(conn, "scoped")
        await conn.execute(
            "insert into rollout_cohort values ($1, $2, 0, 'pilot', '{P1}', $3), ($1, $2, 1, 'wave-one', '{P2}', $3)",
            *one_key(one),
            START,
        )

        async def found(**asked: Any) -> list[tuple[str, str | None]]:
            return [(it.partner_id, it.cohort) for it in (await read_partners(conn, **asked)).partners]

        assert await found() == [("P2", None), ("P1", None), ("P3", None)]
        assert await found(tier="gold", region="north") == [("P1", None)]
        assert await found(rollout="scoped") == [("P2", "wave-one"), ("P1", "pilot")]
        assert await found(rollout="scoped", cohort="pilot") == [("P1", "pilot")]
        assert await found(words="ALPH") == [("P2", None)]
        assert (await read_partners(conn, limit=1)).total == 3
        assert (await tiers(conn), await regions(conn)) == (("gold",), ("north", "south"))
