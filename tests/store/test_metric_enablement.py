"""Enablement completion: every state of an assignment, and that completion now is not ever completed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.metric import MetricName
from tests.store.world import World, at, day, window

COMPLETION = MetricName.ENABLEMENT_COMPLETION
DUE = "2026-02-28"


async def assignment(world: World, partner: str = "a", person: str | None = None, **row: Any) -> None:
    """Assigned on 1 January, due on 28 February, of a person and course of its own unless said otherwise."""
    if person is None:
        person = await world.add("person", partner_id=partner)
    row = {"course_id": "sales basics", "assigned_at": at("2026-01-01"), "due_on": day(DUE), **row}
    await world.add("enablement_assignment", partner_id=partner, person_id=person, **row)


async def parts(world: World, as_of: str = "2026-04-01", partner: str = "a") -> dict[str, float]:
    return (await world.reading(COMPLETION, partner, as_of=at(as_of))).parts


async def test_every_state_is_told_apart_and_only_due_or_early_ones_count(world: World) -> None:
    await assignment(world, completed_at=at("2026-02-10"))  # on time
    await assignment(world, completed_at=at("2026-03-10"))  # late, but done
    await assignment(world)  # overdue
    await assignment(world, completed_at=at("2026-02-10"), valid_until=day("2026-03-01"))  # expired since
    await assignment(world, completed_at=at("2026-02-10"), passed=False)  # failed
    await assignment(world, due_on=day("2026-06-30"), completed_at=at("2026-03-01"))  # early
    await assignment(world, due_on=day("2026-06-30"))  # not due
    await assignment(world, waived_by="lead", waived_at=at("2026-02-01"))
    await assignment(world, withdrawn_at=at("2026-02-01"))
    await assignment(world, assigned_at=at("2026-03-01"))  # after its due date
    # 3 completed (on time, late, early) of 6: 50 %. With the one not due it would read 42.9.
    value = await world.value(COMPLETION)
    assert (value.value, value.n_facts) == (50.0, 6)
    counted = {name: part for name, part in value.parts.items() if not name.endswith("in_window")}
    assert counted == {
        "due": 5,
        "completed": 3,
        "early": 1,
        "on_time": 2,
        "late": 1,
        "overdue": 1,
        "expired": 1,
        "failed": 1,
        "prior_credit": 0,
        "not_due": 1,
        "waived": 1,
        "withdrawn": 1,
        "not_begun": 0,
        "assigned_after_due": 1,
        # In time are the one on time and the early one: 2 of 6.
        "on_time_rate": pytest.approx(100 / 3),
    }


async def test_assignments_not_due_yet_do_not_dilute_the_number(world: World) -> None:
    for number in range(12):
        done: dict[str, Any] = {} if number == 0 else {"completed_at": at("2026-02-01")}
        await assignment(world, **done)
    for _ in range(9):
        await assignment(world, due_on=day("2026-12-31"))
    # 11 of 12 = 91.7 %; with the nine not due yet 52.4.
    value = await world.value(COMPLETION)
    assert value.value is not None
    assert round(value.value, 1) == 91.7


async def test_the_whole_due_day_is_in_time(world: World) -> None:
    await assignment(world, completed_at=at("2026-02-28 23:59"))
    await assignment(world, completed_at=at("2026-03-01"))
    await assignment(world)
    assert (await parts(world))["on_time"] == 1
    assert (await parts(world, "2026-02-28 23:58"))["not_due"] == 3
    last_minute = await parts(world, "2026-02-28 23:59")
    assert (last_minute["early"], last_minute["overdue"]) == (1, 0)
    assert (await parts(world, "2026-03-01"))["overdue"] == 1


async def test_a_completion_counts_only_from_when_it_is_known(world: World) -> None:
    await assignment(world, completed_at=at("2026-02-10"), completed_known_at=at("2026-03-10"))
    assert (await parts(world, "2026-02-20"))["not_due"] == 1
    assert (await parts(world, "2026-03-09"))["overdue"] == 1
    assert (await parts(world, "2026-03-10"))["completed"] == 1


async def test_an_assignment_known_or_made_later_is_unknown(world: World) -> None:
    await assignment(world, known_at=at("2026-02-10"))
    await assignment(world, assigned_at=at("2026-02-20"))
    assert (await world.read(COMPLETION, as_of=at("2026-02-09"))).rows == ()
    assert (await parts(world, "2026-02-10"))["not_due"] == 1
    assert (await parts(world, "2026-02-20"))["not_due"] == 2


async def test_the_due_date_in_force_at_the_moment_decides(world: World) -> None:
    await assignment(
        world,
        due_on=day("2026-05-31"),
        previous_due_on=day(DUE),
        due_changed_at=at("2026-03-10"),
        due_changed_known_at=at("2026-03-12"),
    )
    assert (await parts(world, "2026-03-11"))["overdue"] == 1
    assert (await parts(world, "2026-03-12"))["not_due"] == 1


async def test_a_certificate_counts_to_its_last_day(world: World) -> None:
    await assignment(world, completed_at=at("2026-02-10"), valid_until=day("2026-03-15"))
    assert (await parts(world, "2026-03-15 23:59"))["completed"] == 1
    assert (await parts(world, "2026-03-16"))["expired"] == 1


async def test_a_certificate_that_says_nothing_lasts_as_the_version_in_force_at_completion_said(world: World) -> None:
    """A course lasted 10 days, from 1 February 60. As of 1 April: of 20 January to the 30th, expired; of 10 February to
    11 April, completed; of the same day by the first version, which it names, to the 20th, expired."""
    for version, day_one, days in ((1, "2025-01-01", 10), (2, "2026-02-01", 60)):
        course = {"course_id": "law", "version": version, "effective_from": day(day_one), "validity_days": days}
        await world.add("enablement_course", **course)
    await assignment(world, course_id="law", completed_at=at("2026-01-20"))
    await assignment(world, course_id="law", completed_at=at("2026-02-10"))
    await assignment(world, course_id="law", completed_at=at("2026-02-10"), course_version=1)
    found = await parts(world)
    assert (found["completed"], found["expired"]) == (1, 2)
    assert (await parts(world, "2026-04-11 23:59"))["completed"] == 1
    assert (await parts(world, "2026-04-12"))["expired"] == 3


async def test_a_certificate_that_lapsed_before_the_due_date_leaves_the_assignment_not_due(world: World) -> None:
    await assignment(world, completed_at=at("2026-01-10"), valid_until=day("2026-01-31"))
    assert (await parts(world, "2026-01-31"))["early"] == 1
    assert (await parts(world, "2026-02-01"))["not_due"] == 1


async def test_recertifying_does_not_count_twice_and_the_old_certificate_holds_until_it_expires(world: World) -> None:
    person = await world.add("person", partner_id="a")
    old: dict[str, Any] = {
        "due_on": day("2025-03-31"),
        "completed_at": at("2025-03-01"),
        "valid_until": day("2026-02-28"),
    }
    await assignment(world, person=person, assigned_at=at("2025-01-01"), **old)
    await assignment(world, person=person, completed_at=at("2026-03-05"))
    assert (await world.value(COMPLETION, as_of=at("2026-02-15"))).value == 100.0  # the old one
    lapsed = await world.value(COMPLETION, as_of=at("2026-03-01"))
    assert (lapsed.value, lapsed.n_facts, lapsed.parts["overdue"]) == (0.0, 1, 1)  # the new one, not both
    renewed = await world.value(COMPLETION, as_of=at("2026-03-05"))
    assert (renewed.value, renewed.n_facts) == (100.0, 1)


async def test_withdrawing_after_the_due_date_does_not_make_it_disappear(world: World) -> None:
    await assignment(world, withdrawn_at=at("2026-02-28 23:00"))
    await assignment(world, withdrawn_at=at("2026-03-01"))
    found = await parts(world)
    assert (found["withdrawn"], found["overdue"]) == (1, 1)


async def test_people_and_partners_who_left_are_out(world: World) -> None:
    left = await world.add("person", partner_id="a", active_to=day("2026-03-01"))
    await assignment(world, person=left)
    await world.add("partner", partner_id="gone", active_to=day("2026-03-01"))
    await assignment(world, "gone")
    assert (await parts(world))["withdrawn"] == 1
    assert (await parts(world, partner="gone"))["withdrawn"] == 1
    assert (await parts(world, "2026-02-28"))["not_due"] == 1
    value = await world.value(COMPLETION)
    assert (value.value, value.reason) == (None, "nothing_due")


async def test_people_and_partners_who_have_not_begun_are_asked_for_nothing(world: World) -> None:
    """Due on 28 February: of three people who are there 2 completed, and one of two courses of somebody who begins on
    2 April. As of 1 April that is 2 of 3, with the newcomer's it would read 60 %; from 2 April it is 3 of 5. What was
    waived or withdrawn stays that."""
    joins = await world.add("person", partner_id="a", active_from=day("2026-04-02"))
    await assignment(world, completed_at=at("2026-02-10"))
    await assignment(world, completed_at=at("2026-02-11"))
    await assignment(world)
    await assignment(world, person=joins)
    # Learnt before the first day: in neither sum either, until that day.
    await assignment(world, person=joins, course_id="law", completed_at=at("2026-02-01"))
    await assignment(world, person=joins, course_id="pricing", waived_by="lead", waived_at=at("2026-02-01"))
    await assignment(world, person=joins, course_id="security", withdrawn_at=at("2026-02-01"))
    value = await world.value(COMPLETION)
    assert (value.value, value.n_facts) == (pytest.approx(200 / 3), 3)
    assert [value.parts[part] for part in ("not_begun", "waived", "withdrawn")] == [2, 1, 1]
    begun = await world.value(COMPLETION, as_of=at("2026-04-02"))
    assert (begun.value, begun.n_facts, begun.parts["not_begun"]) == (60.0, 5, 0)

    await world.add("partner", partner_id="new", active_from=day("2026-04-02"))
    await assignment(world, "new")
    assert (await parts(world, partner="new"))["not_begun"] == 1
    assert (await world.value(COMPLETION, "new")).reason == "nothing_due"
    assert (await parts(world, "2026-04-02", "new"))["overdue"] == 1


async def test_whoever_has_left_is_not_to_come(world: World) -> None:
    """Left on 1 March and back on 1 May: as of 1 April they are gone, as of both days said at once."""
    back = await world.add("person", partner_id="a", active_from=day("2026-05-01"), active_to=day("2026-03-01"))
    await assignment(world, person=back)
    found = await parts(world)
    assert (found["withdrawn"], found["not_begun"]) == (1, 0)


async def test_a_person_of_two_partners_counts_for_the_one_the_assignment_was_made_for(world: World) -> None:
    both = await world.add("person", partner_id="a")
    await assignment(world, "a", both, completed_at=at("2026-02-01"))
    await assignment(world, "b", both)
    assert (await world.value(COMPLETION, "a")).value == 100.0
    assert (await world.value(COMPLETION, "b")).value == 0.0
    assert (await world.value(COMPLETION)).value == 50.0


async def test_assignments_are_counted_and_not_people(world: World) -> None:
    person = await world.add("person", partner_id="a")
    for course, done in (("basics", True), ("pricing", True), ("security", False)):
        completed: dict[str, Any] = {"completed_at": at("2026-02-01")} if done else {}
        await assignment(world, person=person, course_id=course, **completed)
    # 2 of 3 assignments of one person; of people it would read 0.
    value = await world.value(COMPLETION)
    assert (value.value, value.n_facts) == (pytest.approx(200 / 3), 3)


async def test_a_due_date_brought_forward_decides_from_when_it_is_known(world: World) -> None:
    await assignment(
        world,
        due_on=day("2026-02-15"),
        previous_due_on=day("2026-04-30"),
        due_changed_at=at("2026-02-01"),
        due_changed_known_at=at("2026-02-20"),
    )
    assert (await parts(world, "2026-02-19"))["not_due"] == 1
    assert (await parts(world, "2026-02-20"))["overdue"] == 1


async def test_prior_credit_is_completed_and_reported_apart(world: World) -> None:
    await assignment(world, completed_at=at("2025-11-01"), prior_credit=True)
    await assignment(world, completed_at=at("2025-11-01"), prior_credit=True, valid_until=day("2026-03-01"))  # lapsed
    await assignment(world)
    # 1 of 3: what has lapsed is no credit either.
    found = await parts(world)
    assert (found["completed"], found["prior_credit"], found["expired"], found["overdue"]) == (1, 1, 1, 1)


async def test_a_waiver_counts_from_when_it_is_known(world: World) -> None:
    await assignment(world, waived_by="lead", waived_at=at("2026-03-05"), waived_known_at=at("2026-03-07"))
    assert (await parts(world, "2026-03-06"))["overdue"] == 1
    assert (await parts(world, "2026-03-07"))["waived"] == 1


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await assignment(world, "small", completed_at=at("2026-02-01"))
    for _ in range(3):
        await assignment(world, "large")
    # 1 of 4; the mean of 100 % and 0 % would read 50.
    assert (await world.value(COMPLETION)).value == 25.0


async def test_the_window_only_picks_the_assignments_reported_apart(world: World) -> None:
    for assigned, done in (("2025-12-31", True), ("2026-01-01", True), ("2026-01-31", False), ("2026-02-01", True)):
        completed: dict[str, Any] = {"completed_at": at("2026-02-20")} if done else {}
        await assignment(world, assigned_at=at(assigned), **completed)
    january = await world.reading(COMPLETION, "a", during=window("2026-01-01", "2026-02-01"))
    assert (january.numerator, january.denominator) == (3, 4)
    assert january.parts["assigned_in_window"] == 2
    assert january.parts["completed_of_assigned_in_window"] == 1


async def test_data_reach_to_the_latest_event_known(world: World) -> None:
    await assignment(world, "other", completed_at=at("2026-02-10"), completed_known_at=at("2026-02-12"))
    moments = ("2026-02-11", "2026-02-12")
    reach = [(await world.read(COMPLETION, "a", as_of=at(moment))).data_through for moment in moments]
    assert reach == [at("2026-01-01"), at("2026-02-12") - timedelta(days=2)]


@pytest.mark.parametrize("stage", ["waived", "withdrawn"])
async def test_data_reach_to_a_later_stage_that_became_known(world: World, stage: str) -> None:
    """Assigned on 1 January, waived or withdrawn on 10 February, which became known two days later: until then data
    reach to 1 January. Corrected on 20 February to the 9th: seen from the 15th they still reach to the 10th."""
    told: dict[str, Any] = {f"{stage}_at": at("2026-02-10"), f"{stage}_known_at": at("2026-02-12")}
    await assignment(world, "other", **told, **({"waived_by": "e.lead"} if stage == "waived" else {}))

    async def reach(*moments: str) -> list[datetime | None]:
        return [(await world.read(COMPLETION, "a", as_of=at(one))).data_through for one in moments]

    assert await reach("2026-02-11", "2026-02-12") == [at("2026-01-01"), at("2026-02-10")]
    moved = {
        "waived": "update enablement_assignment set waived_at = '2026-02-09Z', amended_at = '2026-02-20Z'",
        "withdrawn": "update enablement_assignment set withdrawn_at = '2026-02-09Z', amended_at = '2026-02-20Z'",
    }
    await world.conn.execute(moved[stage])
    assert await reach("2026-02-15", "2026-02-20") == [at("2026-02-10"), at("2026-02-09")]


@pytest.mark.parametrize("seed", range(2))
async def test_agrees_with_the_definition_written_a_second_time(world: World, seed: int) -> None:
    rng = random.Random(seed)

    def some() -> datetime:
        # Whole days around the one asked for, so that equal moments and last days are hit often.
        return at("2026-01-01") + timedelta(days=rng.randint(0, 15))

    def moment(chance: float) -> datetime | None:
        return some() if rng.random() < chance else None

    as_of = at("2026-01-08")
    people = {
        await world.add("person", partner_id="a", active_to=gone): gone for gone in (None, None, day("2026-01-08"))
    }
    left = {person for person, gone in people.items() if gone}
    rows: list[dict[str, Any]] = []
    for number in range(250):
        completed, waived, withdrawn, changed = moment(0.6), moment(0.15), moment(0.15), moment(0.2)
        row: dict[str, Any] = {
            "person_id": rng.choice(list(people)),
            "course_id": f"course {rng.randint(1, 90)}",
            "assigned_at": some() - timedelta(days=7),
            "due_on": (some() - timedelta(days=2)).date(),
            "previous_due_on": some().date() if changed else None,
            "due_changed_at": changed,
            "completed_at": completed,
            "completed_known_at": completed and moment(0.3),
            "passed": rng.random() < 0.6,
            "valid_until": (some() - timedelta(days=6)).date() if completed and rng.random() < 0.6 else None,
            "waived_by": waived and "lead",
            "waived_at": waived,
            "withdrawn_at": withdrawn,
            "source_id": f"assignment-{number:03}",
        }
        rows.append(row)
        await world.add("enablement_assignment", partner_id="a", **row)
    expected = _counted(rows, as_of, left)
    reading = await world.reading(COMPLETION, "a", as_of=as_of)
    assert {name: reading.parts[name] for name in expected} == expected
    assert reading.denominator == sum(expected[name] for name in COUNTED)
    assert min(expected.values()) > 0


COUNTED = ("completed", "overdue", "expired", "failed")


def _counted(rows: list[dict[str, Any]], as_of: datetime, left: set[str]) -> dict[str, int]:
    """Each assignment's state, and of one person's of one course the last that counts."""
    found = dict.fromkeys((*COUNTED, "not_due", "waived", "withdrawn", "assigned_after_due"), 0)
    standing: dict[tuple[str, str], tuple[Any, str]] = {}
    for row in rows:
        if row["assigned_at"] > as_of:
            continue
        state = _state(row, as_of, row["person_id"] in left)
        if state in COUNTED:
            key, place = (row["person_id"], row["course_id"]), (row["assigned_at"], row["source_id"])
            standing[key] = max(standing.get(key, (place, state)), (place, state))
        else:
            found[state] += 1
    for _, state in standing.values():
        found[state] += 1
    return found


def _state(row: dict[str, Any], as_of: datetime, left: bool) -> str:
    changed = row["due_changed_at"]
    due = row["previous_due_on"] if changed and changed > as_of else row["due_on"]
    passes = at(due.isoformat()) + timedelta(days=1)
    completed = row["completed_at"]
    if completed and max(completed, row["completed_known_at"] or completed) > as_of:
        completed = None
    lapsed = row["valid_until"] is not None and at(row["valid_until"].isoformat()) + timedelta(days=1) <= as_of
    if row["assigned_at"] >= passes:
        return "assigned_after_due"
    if row["waived_at"] and row["waived_at"] <= as_of:
        return "waived"
    if left or (row["withdrawn_at"] and row["withdrawn_at"] <= as_of and row["withdrawn_at"] < passes):
        return "withdrawn"
    if completed and row["passed"] and not lapsed:
        return "completed"
    if passes > as_of:
        return "not_due"
    if completed is None:
        return "overdue"
    return "expired" if row["passed"] else "failed"
