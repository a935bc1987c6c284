"""Compliance score: which checks apply, which results stand at the moment, and when there is no score."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from models.metric import MetricName
from tests.store.world import World, at, day, window

SCORE = MetricName.COMPLIANCE_SCORE
WEIGHTS = {"critical": 10, "high": 7, "moderate": 4, "low": 2}


async def check(world: World, check_id: str, severity: str = "high", **row: Any) -> None:
    row = {"version": 1, "effective_from": day("2020-01-01"), "weight": WEIGHTS[severity], **row}
    await world.add("compliance_check", check_id=check_id, severity=severity, critical=severity == "critical", **row)


async def checks(world: World) -> None:
    """One of each severity: 10 + 7 + 4 + 2 = 23."""
    for severity in WEIGHTS:
        await check(world, severity, severity)


async def result(
    world: World, check_id: str, outcome: str = "pass", on: str = "2026-01-10", partner: str = "a", **row: Any
) -> None:
    row = {"version": 1, **row}
    await world.add(
        "compliance_result", partner_id=partner, check_id=check_id, outcome=outcome, assessed_at=at(on), **row
    )


async def waiver(world: World, check_id: str, start: str, end: str, **row: Any) -> None:
    await world.add(
        "compliance_waiver",
        partner_id="a",
        check_id=check_id,
        approved_by="legal",
        reason="insurer changes",
        valid_from=day(start),
        valid_until=day(end),
        **row,
    )


async def score(world: World, as_of: str = "2026-04-01", partner: str = "a") -> float | None:
    return (await world.reading(SCORE, partner, as_of=at(as_of))).numerator


async def test_results_are_weighted(world: World) -> None:
    await checks(world)
    await result(world, "critical", "pass")
    await result(world, "high", "fail")
    await result(world, "moderate", "partial", value="0.5")
    await result(world, "low", "pass")
    # 100 x (10 + 0 + 2 + 2) / 23 = 60.87.
    value = await world.value(SCORE)
    assert value.value == pytest.approx(1400 / 23)
    assert (value.n_partners, value.n_facts, value.parts["coverage"]) == (1, 4, 100)


async def test_what_does_not_apply_is_in_neither_sum(world: World) -> None:
    await checks(world)
    for check_id in ("critical", "moderate", "low"):
        await result(world, check_id)
    await result(world, "high", "not_applicable")
    # 16 of 16; as a fail it would read 69.6.
    reading = await world.reading(SCORE, "a")
    assert (reading.numerator, reading.parts["weight_applicable"], reading.parts["not_applicable"]) == (100, 16, 1)


async def test_inconclusive_is_out_of_the_score_but_lowers_coverage(world: World) -> None:
    await checks(world)
    await result(world, "critical")
    await result(world, "high", "fail")
    await result(world, "low")
    await result(world, "moderate", "inconclusive")
    # 19 of 23 assessed is 82.6 %: enough. 12 of 19 = 63.2.
    assert await score(world) == pytest.approx(1200 / 19)
    await result(world, "low", "inconclusive", on="2026-02-01")
    # 17 of 23 is 73.9 %: no score.
    value = await world.value(SCORE)
    assert (value.value, value.reason, value.n_partners) == (None, "low_coverage", 0)
    assert value.parts["partners_without_score"] == 1


async def test_eighty_percent_of_the_weight_is_enough(world: World) -> None:
    await check(world, "done", weight=8)
    await check(world, "open", weight=2)
    await result(world, "done")
    assert await score(world) == 100
    await check(world, "another", weight="0.01")
    assert await score(world) is None


async def test_checks_nobody_assessed_lower_coverage_and_a_partner_without_any_result_is_seen(world: World) -> None:
    await checks(world)
    await world.add("partner", partner_id="new")
    reading = await world.reading(SCORE, "new")
    assert (reading.numerator, reading.denominator, reading.facts) == (None, None, 0)
    assert (reading.parts["not_assessed"], reading.parts["critical_unassessed"]) == (4, 1)
    assert (await world.value(SCORE)).reason == "low_coverage"


async def test_an_expired_result_is_missing_not_its_old_value(world: World) -> None:
    await check(world, "insurance", weight=8)
    await check(world, "agreement", weight=2)
    await result(world, "insurance")
    await result(world, "agreement", "fail", valid_until=day("2026-02-28"))
    # The last day still counts; from the next midnight on only 8 of 10 are assessed, all passed.
    assert await score(world, "2026-02-28 23:59") == 80
    assert await score(world, "2026-03-01") == 100
    assert (await world.reading(SCORE, "a")).parts["expired"] == 1


async def test_a_check_may_say_how_long_results_last_and_give_grace(world: World) -> None:
    await check(world, "screening", "critical", validity_days=30, grace_days=5)
    await result(world, "screening", on="2026-01-10 15:00")
    # 10 January + 30 days = 9 February, + 5 days' grace = 14 February.
    assert await score(world, "2026-02-14 23:59") == 100
    assert await score(world, "2026-02-15") is None
    assert (await world.reading(SCORE, "a", as_of=at("2026-02-15"))).parts["critical_unassessed"] == 1
    # Of more days than a calendar goes back; the other one is out of date all the same.
    await check(world, "agreement", "low", validity_days=30_000_000, grace_days=9_000_000)
    await result(world, "agreement", on="2025-01-10")
    reading = await world.reading(SCORE, "a", as_of=at("2026-02-15"))
    assert (reading.parts["weight_assessed"], reading.parts["expired"]) == (2, 1)


async def test_a_waiver_counts_as_a_pass_only_while_it_is_valid_and_is_listed(world: World) -> None:
    await check(world, "insurance", "critical")
    await result(world, "insurance", "fail")
    await waiver(world, "insurance", "2026-02-01", "2026-02-28")
    for moment, expected, waived, failed in (
        ("2026-01-31", 0, 0, 1),
        ("2026-02-01", 100, 1, 0),
        ("2026-02-28 23:59", 100, 1, 0),
        ("2026-03-01", 0, 0, 1),
    ):
        reading = await world.reading(SCORE, "a", as_of=at(moment))
        assert reading.numerator == expected, moment
        assert (reading.parts["waived"], reading.parts["critical_failed"]) == (waived, failed), moment


async def test_a_revoked_or_not_yet_known_waiver_does_not_count(world: World) -> None:
    await check(world, "insurance")
    await result(world, "insurance", "fail")
    row: dict[str, Any] = {
        "known_at": at("2026-02-10"),
        "revoked_at": at("2026-02-20"),
        "revoked_known_at": at("2026-02-22"),
    }
    await waiver(world, "insurance", "2026-02-01", "2026-03-31", **row)
    moments = ("2026-02-09", "2026-02-10", "2026-02-21", "2026-02-22")
    assert [await score(world, moment) for moment in moments] == [0, 100, 100, 0]


async def test_what_does_not_apply_is_not_passed_by_a_waiver(world: World) -> None:
    await check(world, "insurance")
    await check(world, "audit")
    await result(world, "insurance", "not_applicable", valid_until=day("2026-02-28"))
    await result(world, "audit", "fail")
    await waiver(world, "insurance", "2026-01-01", "2026-12-31")
    # 0 of 7; were the waiver a pass it would read 50. Once nobody knows any more whether it applies, it is waived.
    reading = await world.reading(SCORE, "a", as_of=at("2026-02-28"))
    assert (reading.numerator, reading.parts["weight_applicable"], reading.parts["waived"]) == (0, 7, 0)
    reading = await world.reading(SCORE, "a", as_of=at("2026-03-01"))
    assert (reading.numerator, reading.parts["weight_applicable"], reading.parts["waived"]) == (50, 14, 1)


async def test_a_waiver_must_end(world: World) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await world.add(
            "compliance_waiver",
            partner_id="a",
            check_id="insurance",
            approved_by="legal",
            reason="for ever",
            valid_from=day("2026-01-01"),
            valid_until=None,
        )


async def test_a_new_inspection_replaces_the_old_one_from_its_date(world: World) -> None:
    await check(world, "audit")
    await result(world, "audit", "fail", on="2026-01-10")
    await result(world, "audit", "pass", on="2026-02-10")
    await result(world, "audit", "fail", on="2026-03-10", known_at=at("2026-03-15"))
    moments = ("2026-02-09", "2026-02-10", "2026-03-14", "2026-03-15")
    assert [await score(world, moment) for moment in moments] == [0, 100, 100, 0]


async def test_a_newer_inconclusive_result_does_not_bring_the_older_pass_back(world: World) -> None:
    await check(world, "audit")
    await result(world, "audit", "pass", on="2026-01-10")
    await result(world, "audit", "inconclusive", on="2026-02-10")
    assert await score(world) is None


async def test_changed_weights_are_a_new_version_and_history_is_not_recomputed(world: World) -> None:
    await check(world, "audit", weight=10)
    await check(world, "other", weight=10)
    await result(world, "audit", "pass")
    await result(world, "other", "fail")
    assert await score(world) == 50
    await check(world, "audit", weight=30, version=2, effective_from=day("2026-02-01"))
    # The result was made under version 1 and keeps its weight; one made under version 2 weighs 30 of 40.
    assert await score(world) == 50
    await result(world, "audit", "pass", on="2026-03-01", version=2)
    assert await score(world) == 75
    assert await score(world, "2026-02-15") == 50
    # Where nothing is assessed yet, the version in force says what applies.
    await world.add("partner", partner_id="new")
    for moment, applicable in (("2026-01-31", 20), ("2026-02-01", 40)):
        assert (await world.reading(SCORE, "new", as_of=at(moment))).parts["weight_applicable"] == applicable


async def test_an_expired_result_leaves_no_weight_of_its_version_behind(world: World) -> None:
    await check(world, "audit", weight=2)
    await check(world, "other", weight=8)
    await check(world, "audit", "critical", weight=10, version=2, effective_from=day("2026-02-01"))
    await result(world, "other")
    await result(world, "audit", valid_until=day("2026-02-28"))
    assert await score(world, "2026-02-28") == 100
    # Missing from then on: 8 of 18 assessed, where the check is critical by now. By the old weight 8 of 10 would do.
    reading = await world.reading(SCORE, "a", as_of=at("2026-03-01"))
    assert (reading.numerator, reading.parts["weight_applicable"]) == (None, 18)
    assert (reading.parts["expired"], reading.parts["critical_unassessed"]) == (1, 1)


async def test_a_failure_under_a_version_not_known_yet_does_not_bring_the_older_pass_back(world: World) -> None:
    await check(world, "audit", weight=7)
    await check(world, "audit", weight=30, version=2, effective_from=day("2026-02-01"), known_at=at("2026-03-20"))
    await result(world, "audit", "pass")
    await result(world, "audit", "fail", on="2026-02-10", version=2)
    for moment, weight in (("2026-03-01", 7), ("2026-03-20", 30)):
        reading = await world.reading(SCORE, "a", as_of=at(moment))
        assert (reading.numerator, reading.parts["weight_applicable"]) == (0, weight), moment


async def test_critical_failures_are_listed(world: World) -> None:
    await checks(world)
    for check_id in ("high", "moderate", "low"):
        await result(world, check_id)
    await result(world, "critical", "fail")
    value = await world.value(SCORE)
    assert value.value == pytest.approx(1300 / 23)
    assert value.parts["critical_failed"] == 1


async def test_a_critical_failure_that_is_no_longer_in_date_is_missing_and_not_failed(world: World) -> None:
    await checks(world)
    await result(world, "critical", "fail", valid_until=day("2026-03-31"))
    for check_id in ("high", "moderate", "low"):
        await result(world, check_id)
    last_day = (await world.reading(SCORE, "a", as_of=at("2026-03-31 23:59"))).parts
    assert (last_day["critical_failed"], last_day["critical_unassessed"]) == (1, 0)
    # 13 of 23 are assessed then, 56.5 %.
    value = await world.value(SCORE)
    assert (value.reason, value.parts["critical_failed"], value.parts["critical_unassessed"]) == ("low_coverage", 0, 1)


async def test_of_two_results_of_one_moment_the_one_known_last_stands(world: World) -> None:
    await check(world, "audit")
    await result(world, "audit", "fail", on="2026-01-10", known_at=at("2026-01-12"), source_id="z")
    await result(world, "audit", "pass", on="2026-01-10", known_at=at("2026-01-20"), source_id="a")
    assert [await score(world, moment) for moment in ("2026-01-19", "2026-01-20")] == [0, 100]


@pytest.mark.parametrize(("value", "failed"), [("0", 1), ("0.01", 0), ("1", 0)])
async def test_a_critical_check_that_is_met_to_no_part_has_failed_also_where_it_is_called_partial(
    world: World, value: str, failed: int
) -> None:
    await checks(world)
    for check_id in ("high", "moderate", "low"):
        await result(world, check_id)
    await result(world, "critical", "partial", value=value)
    assert (await world.value(SCORE)).parts["critical_failed"] == failed


async def test_checks_apply_by_type_tier_and_region_and_while_in_force(world: World) -> None:
    await world.add("partner", partner_id="a", type="reseller", tier="gold", region="emea")
    await check(world, "for_all")
    await check(world, "for_gold_resellers", types=["reseller"], tiers=["gold"])
    await check(world, "for_silver", tiers=["silver"])
    await check(world, "for_americas", regions=["americas"])
    await check(world, "retired", retired_on=day("2026-04-01"))
    await check(world, "not_yet", effective_from=day("2026-04-02"))
    await check(world, "unknown_yet", known_at=at("2026-05-01"))
    for check_id in ("for_all", "for_gold_resellers", "for_silver", "for_americas", "retired", "not_yet"):
        await result(world, check_id)
    reading = await world.reading(SCORE, "a")
    assert (reading.facts, reading.parts["weight_applicable"]) == (2, 14)
    assert (await world.reading(SCORE, "a", as_of=at("2026-03-31"))).facts == 3


async def test_partners_who_left_or_have_not_come_yet_have_no_row(world: World) -> None:
    await check(world, "audit")
    await world.add("partner", partner_id="left", active_to=day("2026-04-01"))
    await world.add("partner", partner_id="to_come", active_from=day("2026-04-02"))
    assert (await world.read(SCORE)).rows == ()
    assert (await world.value(SCORE)).reason == "no_data"
    assert [row.partner_id for row in (await world.read(SCORE, as_of=at("2026-03-31"))).rows] == ["left"]


async def test_a_partner_to_whom_no_check_applies_is_nobody_without_a_score(world: World) -> None:
    await check(world, "audit", types=["reseller"])
    await world.add("partner", partner_id="referral", type="referral")
    await result(world, "audit", partner="a")
    assert [row.partner_id for row in (await world.read(SCORE)).rows] == ["a"]
    value = await world.value(SCORE)
    assert (value.value, value.parts["partners_without_score"], value.parts["coverage"]) == (100, 0, 100)


async def test_a_partial_result_counts_by_its_share(world: World) -> None:
    # 100 x (7 x 0.25 + 7 x 1) / 14 = 62.5.
    await check(world, "one")
    await check(world, "two")
    await result(world, "one", "partial", value="0.25")
    await result(world, "two")
    assert await score(world) == pytest.approx(62.5)


async def test_a_group_is_the_mean_over_partners_with_a_score(world: World) -> None:
    await check(world, "one", weight=10)
    await check(world, "two", weight=10, types=["reseller"])
    await world.add("partner", partner_id="referral", type="referral")
    await result(world, "one", "pass", partner="referral")
    for partner in ("a", "b", "c", "d"):
        await result(world, "one", "pass", partner=partner)
        await result(world, "two", "fail", partner=partner)
    await result(world, "one", "pass", partner="thin")  # 10 of 20 assessed: no score
    # 100, four times 50, one without: 300 / 5 = 60; by weight it would read 54.5. 100 of 110 are assessed.
    value = await world.value(SCORE)
    assert (value.value, value.n_partners) == (60.0, 5)
    assert value.parts["partners_without_score"] == 1
    assert value.parts["coverage"] == pytest.approx(1000 / 11)


async def test_a_group_that_is_mostly_unassessed_has_no_value(world: World) -> None:
    await check(world, "one")
    for partner in ("a", "b", "c"):
        await result(world, "one", partner=partner)
    await world.add("partner", partner_id="d")
    # 3 of 4 assessed is 75 %, although each of the three has a full score.
    value = await world.value(SCORE)
    assert (value.value, value.reason, value.n_partners) == (None, "low_coverage", 3)
    await result(world, "one", "fail", partner="e")
    # 4 of 5 are 80 %, which is enough: (3 x 100 + 0) / 4.
    value = await world.value(SCORE)
    assert (value.value, value.parts["coverage"], value.n_partners) == (75.0, 80.0, 4)


async def test_the_window_only_counts_how_many_results_are_fresh(world: World) -> None:
    await checks(world)
    await result(world, "critical", on="2025-06-01")
    for check_id in ("high", "moderate", "low"):
        await result(world, check_id, on="2026-02-10")
    assert (await world.reading(SCORE, "a", during=window("2026-02-01", "2026-03-01"))).parts["assessed_in_window"] == 3
    assert await score(world) == 100


async def test_data_reach_to_the_latest_result_known(world: World) -> None:
    await check(world, "audit")
    await result(world, "audit", on="2026-01-10", partner="other")
    await result(world, "audit", on="2026-02-10", partner="other", known_at=at("2026-05-01"))
    assert (await world.read(SCORE, "a")).data_through == at("2026-01-10")
    assert (await world.read(SCORE, "a", as_of=at("2026-05-01"))).data_through == at("2026-02-10")
