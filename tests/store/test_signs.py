"""Of facts that live on a source is heard of by what happened to them last: by a payment, a completion, a waiver."""

from __future__ import annotations

from typing import Any

import pytest

from activities.checking import count_quality
from models.metric import MetricName
from models.rollout import CohortMembers
from store.signs import read_signs_of_life
from tests.store.world import World, at, day, window

MDF, COMPLETION = MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION
CERTIFIED, CHURN = MetricName.CERTIFIED_PARTNERS, MetricName.PARTNER_CHURN
FEBRUARY = window("2026-02-01", "2026-03-01")


async def claim(world: World, partner: str, source: str, **more: Any) -> None:
    row = {"claimed_amount": 10, "submitted_at": at("2026-01-05"), "source_system": source, **more}
    await world.add("mdf_claim", partner_id=partner, **row)


APPROVED: dict[str, Any] = {"decision": "approved", "approved_amount": 10, "decided_at": at("2026-02-03")}
PAID: dict[str, Any] = {"paid_amount": 10, "paid_at": at("2026-02-20"), "paid_known_at": at("2026-02-22")}


async def test_the_newest_stage_known_of_claims_and_requests_counts_source_by_source(world: World) -> None:
    """Source `fund` hands in a claim on 5 January, decides on 3 February and pays on the 20th, known on the 22nd;
    source `other` decides on a request on 10 February, and its claim of 5 January was never heard of again."""
    await claim(world, "a", "fund", **APPROVED, **PAID)
    await claim(world, "b", "other")
    request: dict[str, Any] = {"requested_amount": 10, "submitted_at": at("2026-01-02"), "source_system": "other"}
    decided: dict[str, Any] = {"decision": "rejected", "decided_at": at("2026-02-10")}
    await world.add("mdf_request", partner_id="b", **request, **decided)
    found = {
        moment: await read_signs_of_life(world.conn, MDF, (("a", "b"), ("a",), ()), at(moment))
        for moment in ("2026-02-21", "2026-02-22")
    }
    assert found["2026-02-21"] == [
        {"fund": day("2026-02-03"), "other": day("2026-02-10")},
        {"fund": day("2026-02-03")},
        {},
    ]
    assert found["2026-02-22"][1] == {"fund": day("2026-02-20")}


@pytest.mark.parametrize("stage", ["completed", "waived", "withdrawn"])
async def test_the_newest_stage_known_of_an_assignment_counts(world: World, stage: str) -> None:
    await world.add("person", person_id="p", partner_id="a")
    by: dict[str, dict[str, Any]] = {"completed": {"passed": True}, "waived": {"waived_by": "e.lead"}, "withdrawn": {}}
    told: dict[str, Any] = {f"{stage}_at": at("2026-02-10"), f"{stage}_known_at": at("2026-02-12")}
    assigned: dict[str, Any] = {"assigned_at": at("2026-01-01"), "due_on": day("2026-04-01"), "source_system": "lms"}
    await world.add(
        "enablement_assignment", person_id="p", partner_id="a", course_id="c", **assigned, **told, **by[stage]
    )
    for metric in (COMPLETION, CERTIFIED):
        newest = [
            await read_signs_of_life(world.conn, metric, (("a",),), at(one)) for one in ("2026-02-11", "2026-02-12")
        ]
        assert newest == [[{"lms": day("2026-01-01")}], [{"lms": day("2026-02-10")}]]


async def test_a_list_of_partners_is_heard_of_by_a_change_or_an_import_that_took_every_row(world: World) -> None:
    """Source `erp` listed its partner on 1 January, changed it on the 20th, and confirmed its list on 10 February; an
    import of another kind, one with a row rejected, one refused and one of another source say nothing of it."""
    for partner, source in (("a", "erp"), ("b", "crm")):
        await world.add("partner", partner_id=partner, source_system=source, known_at=at("2026-01-01"))
    await world.amend("partner", "a", "2026-01-20", tier="gold")
    for source, kind, outcome, rejected, moment in (
        ("erp", "partners", "taken", 0, "2026-02-10"),
        ("erp", "leads", "taken", 0, "2026-02-11"),
        ("erp", "partners", "taken", 1, "2026-02-12"),
        ("erp", "partners", "refused", 0, "2026-02-13"),
        ("shop", "partners", "taken", 0, "2026-02-14"),
    ):
        await world.conn.execute(
            "insert into intake_run (seconds, kind, source, origin, outcome, why, rows_read, rows_rejected,"
            " imported_at) values (0, $1, $2, 'file', $3, $4, $5, $5, $6)",
            *(kind, source, outcome, None if outcome == "taken" else "why", rejected, at(moment)),
        )
    found = {
        moment: await read_signs_of_life(world.conn, CHURN, (("a", "b"), ("b",), ()), at(moment))
        for moment in ("2026-01-10", "2026-02-09", "2026-03-01")
    }
    first = day("2026-01-01")
    assert found["2026-01-10"] == [{"erp": first, "crm": first}, {"crm": first}, {}]
    assert found["2026-02-09"][0] == {"erp": day("2026-01-20"), "crm": first}
    assert found["2026-03-01"] == [{"erp": day("2026-02-10"), "crm": first}, {"crm": first}, {}]


async def test_a_source_that_only_pays_what_was_handed_in_long_ago_is_not_silent(world: World) -> None:
    """Two sources, so that each is looked at by itself. `fund` was last handed a claim on 5 January and paid it on 20
    February; `other` has had nothing since 5 January."""
    await claim(world, "a", "fund", **APPROVED, **PAID, known_at=at("2026-01-05"))
    await claim(world, "b", "other", known_at=at("2026-01-05"))
    cohorts = [CohortMembers(name="pilot", partners=("a", "b")), CohortMembers(name="one", partners=("b",))]
    checked = await count_quality(world.conn, MDF, FEBRUARY, cohorts, [(), ()])
    through = [{one.source: one.through for one in counts.sources} for counts in checked.counts]
    assert through == [{"fund": day("2026-02-20"), "other": day("2026-01-05")}, {"other": day("2026-01-05")}]
