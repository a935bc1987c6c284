"""Certified partners: who has how many people with a certificate in date, as of the moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models.metric import MetricName
from tests.store.world import World, at, day

CERTIFIED = MetricName.CERTIFIED_PARTNERS


async def passes(world: World, partner: str, person: str | None = None, **row: Any) -> str:
    """A person of their own unless said otherwise, who passed on 1 February."""
    person = person or await world.add("person", partner_id=partner)
    row = {"course_id": "basics", "assigned_at": at("2026-01-01"), "due_on": day("2026-06-30"), **row}
    row = {"completed_at": at("2026-02-01"), **row}
    await world.add("enablement_assignment", partner_id=partner, person_id=person, **row)
    return person


async def people(world: World, *counts: int) -> None:
    """Partners p0, p1 and so on, each with so many certified people."""
    for number, count in enumerate(counts):
        await world.add("partner", partner_id=f"p{number}")
        for _ in range(count):
            await passes(world, f"p{number}")


async def certified(world: World, partner: str = "a", as_of: str = "2026-04-01") -> float:
    return (await world.reading(CERTIFIED, partner, as_of=at(as_of))).parts["certified_people"]


async def test_a_partner_counts_that_has_two_certified_people(world: World) -> None:
    await people(world, 0, 1, 2, 6)
    # 2 of 4 partners. Of people it would read 9 of 9.
    value = await world.value(CERTIFIED)
    assert (value.value, value.numerator, value.denominator) == (50.0, 2, 4)
    # Of one of them no course is known; it is a partner without certified people all the same.
    assert (value.n_partners, value.n_facts) == (3, 3)


async def test_how_many_have_another_number_stands_beside_it(world: World) -> None:
    await people(world, 0, 1, 2, 3, 5)
    assert (await world.value(CERTIFIED)).parts == {
        "certified_people": 11,
        "with_one": 4,
        "with_two": 3,
        "with_three": 2,
        "with_five": 1,
    }


async def test_a_person_counts_once_whatever_the_number_of_courses(world: World) -> None:
    person = await passes(world, "a")
    await passes(world, "a", person, course_id="pricing")
    assert await certified(world) == 1


async def test_who_failed_or_was_excused_or_is_not_done_is_not_certified(world: World) -> None:
    await passes(world, "a", passed=False)
    await passes(world, "a", completed_at=None)
    await passes(world, "a", completed_at=None, waived_by="lead", waived_at=at("2026-02-01"))
    await passes(world, "a", prior_credit=True)
    assert await certified(world) == 1


async def test_a_certificate_counts_to_its_last_day_and_people_while_they_are_there(world: World) -> None:
    await passes(world, "a", valid_until=day("2026-03-15"))
    leaves = await world.add("person", partner_id="a", active_to=day("2026-03-20"))
    await passes(world, "a", leaves)
    for moment, count in (("2026-03-15 23:59", 2), ("2026-03-16", 1), ("2026-03-19 23:59", 1), ("2026-03-20", 0)):
        assert await certified(world, as_of=moment) == count, moment


async def test_a_certificate_without_an_end_lasts_as_long_as_its_course_says(world: World) -> None:
    row: dict[str, Any] = {"course_id": "basics", "version": 1, "effective_from": day("2020-01-01")}
    await world.add("enablement_course", validity_days=30, **row)
    await passes(world, "a")
    # Passed on 1 February: the thirtieth day after it is 3 March.
    assert [await certified(world, as_of=moment) for moment in ("2026-03-03 23:59", "2026-03-04")] == [1, 0]


async def test_the_version_that_a_certificate_names_or_was_in_force_then_says_how_long_it_lasts(world: World) -> None:
    versions: tuple[tuple[int, str, int, dict[str, Any]], ...] = (
        (1, "2020-01-01", 30, {}),
        (2, "2026-02-01", 60, {}),
        (3, "2026-01-15", 1, {"known_at": at("2026-12-01")}),  # nobody knows of it yet
        (9, "2020-01-01", 1, {"course_id": "pricing"}),
    )
    for version, since, days, row in versions:
        said = {"course_id": "basics", "version": version, "effective_from": day(since), "validity_days": days}
        await world.add("enablement_course", **{**said, **row})
    cases: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("before", "2026-03-02", {"completed_at": at("2026-01-31 23:59")}),
        ("at the stroke", "2026-04-02", {"completed_at": at("2026-02-01")}),
        ("named", "2026-03-03", {"course_version": 1}),
        ("its own", "2026-02-10", {"valid_until": day("2026-02-10")}),
    )
    for partner, last, row in cases:
        await passes(world, partner, **row)
        moments = (at(f"{last} 23:59"), at(last) + timedelta(days=1))
        found = [(await world.reading(CERTIFIED, partner, as_of=one)).parts["certified_people"] for one in moments]
        assert found == [1, 0], partner


async def test_who_somebody_was_is_what_was_known_of_them(world: World) -> None:
    person = await passes(world, "a")
    await world.amend("person", person, "2026-03-01", active_to=day("2026-02-20"))
    moments = ("2026-02-28", "2026-03-01")
    assert [await certified(world, as_of=moment) for moment in moments] == [1, 0]
    await world.amend("partner", "a", "2026-03-10", active_to=day("2026-03-05"))
    assert [len((await world.read(CERTIFIED, "a", as_of=at(f"2026-03-{n}"))).rows) for n in ("09", "10")] == [1, 0]


async def test_a_course_that_is_to_be_assigned_is_not_known_of_yet(world: World) -> None:
    await passes(world, "a", assigned_at=at("2026-03-01"), completed_at=None)
    before, then = at("2026-02-28 23:59:59.999999"), at("2026-03-01")
    assert [(await world.reading(CERTIFIED, "a", as_of=moment)).facts for moment in (before, then)] == [0, 1]


async def test_a_person_is_certified_for_the_partner_that_the_course_was_assigned_for(world: World) -> None:
    both = await world.add("person", partner_id="a")
    await passes(world, "b", both)
    assert (await certified(world, "a"), await certified(world, "b")) == (0, 1)


async def test_it_counts_only_from_when_it_is_known(world: World) -> None:
    await passes(world, "a", completed_known_at=at("2026-02-10"))
    await passes(world, "a", known_at=at("2026-02-20"))
    moments = ("2026-02-09", "2026-02-10", "2026-02-20")
    assert [await certified(world, as_of=moment) for moment in moments] == [0, 1, 2]


async def test_partners_who_left_or_have_not_come_yet_are_in_neither_sum(world: World) -> None:
    await people(world, 2)
    await world.add("partner", partner_id="left", active_to=day("2026-04-01"))
    await world.add("partner", partner_id="to come", active_from=day("2026-04-02"))
    # 1 of 1; the day before 1 of 2.
    assert (await world.value(CERTIFIED)).denominator == 1
    assert (await world.value(CERTIFIED, as_of=at("2026-03-31"))).value == 50.0


async def test_nobody_certified_is_zero_and_nobody_there_or_no_course_known_is_no_value(world: World) -> None:
    await people(world, 0)
    assert (await world.value(CERTIFIED)).reason == "no_data"
    await passes(world, "p0", completed_at=None)
    assert (await world.value(CERTIFIED)).value == 0.0
    await world.conn.execute("update partner set active_to = '2026-03-01'")
    value = await world.value(CERTIFIED)
    assert (value.value, value.reason) == (None, "no_data")


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await people(world, 40, 0, 0, 0)
    # 1 of 4 partners, however many people the one has.
    assert (await world.value(CERTIFIED)).value == 25.0


async def test_data_reach_to_the_latest_assignment_or_completion_known(world: World) -> None:
    await world.add("partner", partner_id="a")
    assert (await world.read(CERTIFIED, "a")).data_through is None
    await passes(world, "other", completed_known_at=at("2026-02-05"))
    moments = ("2026-02-04", "2026-02-05")
    reach = [(await world.read(CERTIFIED, "a", as_of=at(moment))).data_through for moment in moments]
    assert reach == [at("2026-01-01"), at("2026-02-01")]


async def test_data_reach_as_far_as_was_known_at_the_moment_also_of_what_was_said_anew(world: World) -> None:
    reach = at("2026-01-01")
    for month, what in (("2026-02", "completed"), ("2026-03", "waived"), ("2026-04", "withdrawn")):
        row: dict[str, Any] = {"completed_at": None, "waived_by": "lead" if what == "waived" else None}
        row |= {f"{what}_at": at(f"{month}-01"), f"{what}_known_at": at(f"{month}-05")}
        await passes(world, "a", **row)
        row |= {f"{what}_at": at(f"{month}-10"), f"{what}_known_at": at(f"{month}-15")}
        await passes(world, "a", source_id=what, **row)
        await world.amend("enablement_assignment", what, f"{month}-20", **{f"{what}_at": at(f"{month}-09")})
        for moment, through in (
            (f"{month}-04", reach),
            (f"{month}-05", at(f"{month}-01")),
            (f"{month}-14", at(f"{month}-01")),
            (f"{month}-15", at(f"{month}-10")),
            (f"{month}-19 23:59:59.999999", at(f"{month}-10")),
            (f"{month}-20", at(f"{month}-09")),
        ):
            assert (await world.read(CERTIFIED, "a", as_of=at(moment))).data_through == through, moment
        reach = at(f"{month}-09")
