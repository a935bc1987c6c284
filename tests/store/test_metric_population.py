"""Who is counted: the cohort as it was frozen, a partner who leaves in the middle until then, and as lost."""

from __future__ import annotations

from datetime import timedelta

from models.metric import MetricName
from tests.store.world import World, at, day


async def leaver(world: World) -> None:
    """Two partners alike, of whom one leaves on 15 February, in the middle of the quarter."""
    check = {"check_id": "audit", "version": 1, "severity": "high", "weight": 7, "effective_from": day("2020-01-01")}
    await world.add("compliance_check", **check)
    for partner, left in (("left", "2026-02-15"), ("stays", None)):
        await world.add("partner", partner_id=partner, active_to=left and day(left))
        await world.add(
            "partner_transaction",
            partner_id=partner,
            list_amount=120,
            net_amount=100,
            transaction_date=day("2026-01-15"),
        )
        await world.add("partner_cost", partner_id=partner, amount=80, recognised_on=day("2026-01-15"))
        await world.add(
            "lead",
            partner_id=partner,
            assigned_at=at("2026-01-20"),
            contact_due_at=at("2026-01-21"),
            first_contact_at=at("2026-01-20") + timedelta(hours=48 if partner == "left" else 4),
        )
        result = {"check_id": "audit", "version": 1, "outcome": "fail" if partner == "left" else "pass"}
        await world.add("compliance_result", partner_id=partner, assessed_at=at("2026-01-10"), **result)
        person = await world.add("person", partner_id=partner)
        await world.add(
            "enablement_assignment",
            partner_id=partner,
            person_id=person,
            course_id="basics",
            assigned_at=at("2026-01-01"),
            due_on=day("2026-01-31"),
            completed_at=None if partner == "left" else at("2026-01-20"),
        )


async def test_what_a_partner_did_before_it_left_still_counts(world: World) -> None:
    await leaver(world)
    # 40 of 200, and 1 of 2 leads in time. Without the one who left it would be 20 of 100 and 1 of 1: a cohort must
    # not look better because its worst partner is gone.
    margin = await world.value(MetricName.CONTRIBUTION_MARGIN)
    assert (margin.value, margin.denominator, margin.n_partners) == (20.0, 200, 2)
    sla = await world.value(MetricName.LEAD_FOLLOW_UP_SLA)
    assert (sla.value, sla.n_partners) == (50.0, 2)
    leakage = await world.value(MetricName.DISCOUNT_LEAKAGE)
    assert (leakage.numerator, leakage.denominator) == (40, 240)


async def test_who_left_is_counted_as_lost(world: World) -> None:
    await leaver(world)
    churn = await world.value(MetricName.PARTNER_CHURN)
    assert (churn.value, churn.denominator) == (50.0, 2)


async def test_states_at_the_moment_are_those_of_who_is_still_there(world: World) -> None:
    await leaver(world)
    before, after = at("2026-02-14"), at("2026-02-15")
    # 0 and 100 points; then 100 alone. 1 of 2 assignments; then 1 of 1, and one withdrawn.
    scores = [(await world.value(MetricName.COMPLIANCE_SCORE, as_of=moment)).value for moment in (before, after)]
    assert scores == [50.0, 100.0]
    done = [await world.value(MetricName.ENABLEMENT_COMPLETION, as_of=moment) for moment in (before, after)]
    assert [(value.value, value.parts["withdrawn"]) for value in done] == [(50.0, 0), (100.0, 1)]


async def test_what_comes_in_after_a_partner_left_is_still_theirs(world: World) -> None:
    await leaver(world)
    await world.add(
        "partner_transaction", partner_id="left", kind="return", net_amount=-50, transaction_date=day("2026-03-10")
    )
    # A return in March of what was sold in January: 200 - 50 revenue, 160 cost: -10 of 150.
    margin = await world.value(MetricName.CONTRIBUTION_MARGIN)
    assert (margin.numerator, margin.denominator) == (-10, 150)


async def test_partners_of_no_cohort_change_nothing(world: World) -> None:
    await leaver(world)
    whole = {metric: await world.value(metric, "left", "stays") for metric in MetricName}
    await world.add("partner_transaction", partner_id="other", net_amount=1000, transaction_date=day("2026-01-15"))
    await world.add("lead", partner_id="other", assigned_at=at("2026-01-20"), contact_due_at=at("2026-01-21"))
    assert {metric: await world.value(metric, "left", "stays") for metric in MetricName} == whole
