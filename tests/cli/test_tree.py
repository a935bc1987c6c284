"""The tree, its one line, and what explain says, from rollouts driven without any server."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from cli.explain import explanation
from cli.output import Exit
from cli.rollouts import exit_of
from cli.tree import changed, plain, render, some, span, tally
from models.command import PauseVerdict, Verb
from models.evidence import Verdict
from models.log import Outcome
from models.metric import MetricName
from models.plan import Fate, RolloutPlan, StopResolution
from models.rollout import RolloutView
from tests.learning.stories import PLAN, breach
from tests.plans import ISSUER, make_plan, plan_data, signed_plan
from tests.signing import Signed
from tests.workflows.simulator import Simulator
from workflows.view import view

SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
DAY = timedelta(days=1)


def seen(simulator: Simulator) -> RolloutView:
    return view(simulator.state, simulator.moment)


def drawn(simulator: Simulator) -> str:
    """The tree as text without colours."""
    paper = Console(file=io.StringIO(), width=400, highlight=False, markup=False)
    paper.print(render(seen(simulator), simulator.recorded))
    assert isinstance(paper.file, io.StringIO)
    return "\n".join(line.rstrip() for line in paper.file.getvalue().splitlines())


def option_a() -> RolloutPlan:
    approvals = {name: rule for name, rule in plan_data()["approvals"].items() if name in ("override", "stop")}
    cohorts = {**plan_data()["cohorts"], "waves": []}
    return make_plan(chosen="A", approvals=approvals, cohorts=cohorts)


def test_preparing_shows_who_has_to_confirm_and_what_is_still_to_come() -> None:
    simulator = Simulator(make_plan())
    text = drawn(simulator)
    assert "Waiting  sam.sponsor@example.com, pat.proposer@example.com, fin.finance@example.com" in text
    assert "to confirm ownership, since 2026-01-05 00:00 (0m)" in text
    assert "├── ◌ prepare         0m\n│   └── baselines frozen: 8 of 8 have a value" in text
    ahead = text.partition("· pilot")[2]
    assert [part in ahead for part in ("· validate", "· scale wave 1/2", "· scale wave 2/2", "· close")] == [True] * 4
    assert "wave-two   12 partners  not enrolled" in ahead


def test_a_gate_shows_its_rule_who_has_approved_and_on_which_evidence() -> None:
    simulator = Simulator(make_plan())
    simulator.to_validate()
    simulator.wait(8 * DAY)
    simulator.decide("finance_owner")
    gate = simulator.state.gate
    assert gate is not None
    text = drawn(simulator)
    approved = "approved 1 of 2 of sponsor, finance_owner, compliance_owner by fin.finance@example.com (finance_owner)"
    assert f"gate validate_to_scale: {approved}, due {gate.due_at:%Y-%m-%d %H:%M}" in text
    assert f"evidence {gate.digest.removeprefix('sha256:')[:8]}" in text
    assert "Waiting  sam.sponsor@example.com, com.pliance@example.com to decide validate_to_scale" in text
    assert f"✔ prepare         0m        approved by {simulator.plan.holders('sponsor')[0].identity}" in text


def test_a_breach_shows_the_cause_the_partners_and_who_may_resume() -> None:
    simulator = Simulator(make_plan())
    simulator.to_pilot()
    simulator.wait(5 * DAY)
    simulator.verdicts[SLA] = Verdict.NOT_MET
    simulator.report(changed=True)
    text = drawn(simulator)
    assert "Status   ॥ paused since" in text
    assert "who may resume: revops_owner" in text
    assert "driven by partners P001, P002; leads L1" in text
    assert "clock stands still" in text
    assert "✖ Lead follow-up SLA          not met: scripted not met" in text
    assert "12 partners  enrolled      ✔ 1  ✖ 1" in text
    told = "\n".join(explanation(seen(simulator)))
    assert "Awaited to resume or stop: rev.ops@example.com" in told
    assert 'rollouts resume test-plan --as rev.ops@example.com -m "why"' in told
    assert "pilot  ✖ Lead follow-up SLA          not met" in told


def test_missing_evidence_is_shown_as_missing_and_never_as_a_pass() -> None:
    simulator = Simulator(make_plan())
    simulator.to_validate()
    simulator.verdicts[MARGIN] = Verdict.NO_EVIDENCE
    simulator.wait(8 * DAY)
    text = drawn(simulator)
    assert "◷ holding since" in text
    assert "• Partner contribution margin no evidence: scripted no evidence" in text
    assert "The evidence is read again every 1d; when the hold lifts, scale, wave 1 is next." in text
    assert "✔ 1  • 1" in text
    assert "✔ Partner contribution margin" not in text


def test_waves_show_their_own_cohort_and_the_passed_ones_their_reason() -> None:
    simulator = Simulator(make_plan())
    simulator.to_scale()
    text = drawn(simulator)
    assert "◌ scale wave 1/2" in text
    under = text.partition("scale wave 1/2")[2].partition("scale wave 2/2")[0]
    assert "wave-one" in under
    assert "wave-two" not in under
    assert "✔ validate" in text
    assert "approved by sam.sponsor@example.com (sponsor), fin.finance@example.com (finance_owner)" in text


def test_it_says_whether_decisions_are_signed_and_who_acts_for_whom() -> None:
    assert "Decisions unsigned\n" in drawn(Simulator(make_plan())) + "\n"
    plan = signed_plan()
    simulator = Simulator(plan, service=Signed(plan))
    until = simulator.now + 5 * DAY
    given = {"identity": "dana@example.com", "name": "Dana", "issuer": ISSUER, "subject": "sub-dana"}
    simulator.ask(Verb.DELEGATE, "sponsor", until=until, **given)
    text = drawn(simulator)
    assert "Decisions signed; Dana (dana@example.com) acts for sam.sponsor@example.com until 2026-01-10 00:00" in text


def test_an_overdue_review_and_an_override_are_told() -> None:
    simulator = Simulator(make_plan())
    simulator.to_pilot()
    until = datetime(2026, 3, 1, tzinfo=UTC)
    for role in ("sponsor", "revops_owner"):
        simulator.ask(Verb.OVERRIDE, role, "trade fair", metric=SLA, until=until)
    simulator.wait(15 * DAY)
    text = drawn(simulator)
    assert "(overdue by 1d" in text
    assert "override: Lead follow-up SLA let be until 2026-03-01 00:00 by sam.sponsor@example.com, rev.ops" in text
    assert "rollouts review test-plan" in "\n".join(explanation(seen(simulator)))


def test_what_waits_for_another_owner_is_shown_with_the_command_that_agrees_to_just_that() -> None:
    data = plan_data()
    stop = {**data["approvals"]["stop"], "roles": ["sponsor", "revops_owner"], "quorum": 2}
    simulator = Simulator(make_plan(approvals={**data["approvals"], "stop": stop}))
    simulator.to_pilot()
    fates = {"finished": Fate.KEEP, "current": Fate.WITHDRAW, "pending": Fate.KEEP}
    simulator.ask(Verb.STOP, "sponsor", "the law changed", resolution=StopResolution(**fates))
    simulator.ask(Verb.OVERRIDE, "sponsor", "trade fair", metric=SLA, until=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert exit_of(seen(simulator)) == Exit.WAITS
    lines = [line.strip() for line in explanation(seen(simulator))]
    common = '--as rev.ops@example.com -m "why"'
    assert f"rollouts stop test-plan --finished keep --current withdraw --pending keep {common}" in lines
    until = "--metric lead_follow_up_sla --until 2026-03-01T12:00:00"
    assert f"rollouts override test-plan {until} {common}" in lines
    assert "agree to stop finished keep" in drawn(simulator)


def test_a_stopped_rollout_ends_where_it_stood_and_awaits_nobody() -> None:
    simulator = Simulator(make_plan())
    simulator.to_pilot()
    resolution = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    simulator.wait(3 * DAY)
    simulator.ask(Verb.STOP, "sponsor", "the law changed", resolution=resolution)
    text = drawn(simulator)
    assert "Status   ✖ stopped" in text
    assert "✔ prepare" in text
    assert "✖ pilot           3d        Stopping: Sam Sponsor: the law changed" in text
    assert "close" not in text
    assert "12 partners  withdrawn" in text
    assert "Waiting" not in text
    assert "· validate" not in text


def test_option_a_has_no_pilot_and_no_waves_ahead() -> None:
    simulator = Simulator(option_a())
    text = drawn(simulator)
    assert "· validate" in text
    assert "· pilot" not in text
    assert "scale" not in text


def test_a_line_says_the_same_as_the_tree_and_is_one_line() -> None:
    simulator = Simulator(make_plan())
    line = plain(seen(simulator))
    assert line.startswith("2026-01-05 00:00 ◌ running · prepare · Preparing: 6 of 6 owners")
    assert "awaited: sam.sponsor@example.com, " in line
    simulator.to_pilot()
    simulator.ask(Verb.PAUSE, "sponsor", "two\nlines\x1b[2J")
    assert len(plain(seen(simulator)).splitlines()) == 1
    assert "\x1b" not in plain(seen(simulator))


def test_only_time_passing_is_no_change_and_everything_else_is_one() -> None:
    simulator = Simulator(make_plan())
    simulator.to_pilot()
    before = changed(seen(simulator))
    simulator.wait(DAY)
    assert changed(seen(simulator)) == before
    simulator.verdicts[MARGIN] = Verdict.CANNOT_TELL
    simulator.report(changed=True)
    verdicts = changed(seen(simulator))
    assert verdicts != before
    simulator.ask(Verb.PAUSE, "sponsor")
    assert changed(seen(simulator)) != verdicts


def test_the_exit_code_tells_running_waiting_paused_and_stopped_apart() -> None:
    simulator = Simulator(make_plan())
    assert exit_of(seen(simulator)) is Exit.WAITS
    simulator.to_pilot()
    assert exit_of(seen(simulator)) is Exit.OK
    simulator.ask(Verb.PAUSE, "sponsor")
    assert exit_of(seen(simulator)) is Exit.PAUSED
    resolution = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
    simulator.ask(Verb.STOP, "sponsor", resolution=resolution)
    assert exit_of(seen(simulator)) is Exit.STOPPED


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (timedelta(0), "0m"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=1), "1h 0m"),
        (timedelta(days=2), "2d"),
        (timedelta(days=2, hours=3, minutes=9), "2d 3h"),
        (timedelta(minutes=-5), "0m"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(time: timedelta, told: str) -> None:
    assert span(time) == told


def test_a_tally_counts_each_verdict_that_occurs() -> None:
    assert tally([]) == ""
    verdicts = [Verdict.MET, Verdict.NOT_MET, Verdict.MET, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL]
    assert tally(verdicts) == "✔ 2  ✖ 1  ? 1  • 1"


def test_long_lists_of_names_are_cut_and_counted() -> None:
    assert some(()) == "none named"
    assert some(tuple("abcde")) == "a, b, c, d, e"
    assert some(tuple("abcdefg")) == "a, b, c, d, e and 2 more"


def test_a_pause_that_nobody_has_judged_is_shown_with_how_to_judge_it_until_somebody_has() -> None:
    simulator = Simulator(PLAN)
    simulator.to_pilot()
    simulator.wait(5 * DAY)
    breach(simulator)
    assert "To judge" not in drawn(simulator), "it stands"
    simulator.verdicts.clear()
    simulator.ask(Verb.RESUME, "revops_owner", "staff is back")
    simulator.ask(Verb.PAUSE, "finance_owner", "wrong price list")
    simulator.ask(Verb.RESUME, "finance_owner", "price list mended")
    first, second = simulator.state.pauses
    text = drawn(simulator)
    for one, roles in ((first, "revops_owner"), (second, ", ".join(second.roles))):
        how = f"rollouts judge-pause test-plan --pause {one.sequence} --verdict right|false-alarm ({roles})"
        assert f"To judge the pause of {one.since:%Y-%m-%d %H:%M}: {how}" in text
    told = {"pause": first.sequence, "verdict": PauseVerdict.RIGHT}
    assert simulator.ask(Verb.JUDGE_PAUSE, "revops_owner", "it was so", **told).outcome is Outcome.APPLIED
    assert f"--pause {first.sequence} " not in drawn(simulator)
    assert f"--pause {second.sequence} " in drawn(simulator)
