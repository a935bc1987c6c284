"""Rollouts to learn from: logs that the workflow's own functions wrote, and readings beside them."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.command import Choice, PauseVerdict, Verb
from models.evidence import Baseline, Verdict, Window
from models.learning import JudgedReading, Readings
from models.metric import MetricName
from models.plan import Fate, StopResolution
from tests.plans import make_plan
from tests.workflows.simulator import START, Simulator

SLA, MARGIN = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.CONTRIBUTION_MARGIN
PLAN = make_plan(
    title="Growth rebate for <gold> & silver | partners",
    name_variants={
        "english": "Channel Partner Performance Framework",
        "katakana": "チャネルパートナー",
        "kanji": "成果枠組",
    },
    context="Margin, velocity and the follow-up SLA are read differently.\n\nA decision log preserves learning.",
    risks=[
        {"risk": "Weak data quality can obscure changes in margin", "mitigation": "stale data hold"},
        {"risk": "Execution drag may prolong exposure", "mitigation": "due times with reminders"},
        {"risk": "Late follow-up breaks the SLA", "mitigation": "the guardrail pauses"},
        {"risk": "A competitor copies the rebate", "mitigation": "none"},
        {
            "risk": "Slow answers in the summer",
            "mitigation": "stand-ins are named",
            "shown_by": {"metrics": [MARGIN.value], "waits": ["people", "results"], "roles": ["revops_owner"]},
        },
    ],
    metrics=[
        {"metric": SLA.value, "window": "28d", "thresholds": [">= 85", ">= -5%"], "freshness": "7d"},
        {"metric": MARGIN.value, "window": "28d", "thresholds": [">= 20"], "freshness": "7d"},
    ],
)


def paused_and_finished(judged: PauseVerdict | None = None) -> Simulator:
    """A rollout that paused twice, was refused something, and came to its end; its first pause may be judged."""
    rollout = Simulator(PLAN)
    rollout.wait(timedelta(days=2))
    rollout.to_pilot()
    rollout.wait(timedelta(days=5))
    breach(rollout)
    rollout.wait(timedelta(days=4))
    rollout.verdicts.clear()
    rollout.ask(Verb.RESUME, "revops_owner", "staff is back")
    rollout.ask(Verb.PAUSE, "finance_owner", "wrong price list")
    rollout.wait(timedelta(days=1))
    rollout.ask(Verb.RESUME, "finance_owner", "price list mended")
    rollout.ask(Verb.OVERRIDE, "stranger@example.com", metric=SLA, until=rollout.now + timedelta(days=9))
    if judged is not None:
        judge(rollout, rollout.state.pauses[0].sequence, "revops_owner", judged)
    rollout.wait(timedelta(days=25))
    rollout.ask(Verb.REVIEW, "sponsor", "on course")
    finish(rollout)
    return rollout


def breach(rollout: Simulator) -> None:
    """The follow-up SLA lies beyond its limit, and the watch tells of it."""
    rollout.verdicts[SLA] = Verdict.NOT_MET
    rollout.report(changed=True)
    assert rollout.state.pause is not None


def finish(rollout: Simulator) -> None:
    """Whatever is asked is approved until the rollout is over."""
    for _ in range(40):
        if rollout.state.terminal:
            return
        if rollout.state.review_due_at and rollout.now >= rollout.state.review_due_at:
            rollout.ask(Verb.REVIEW, "sponsor", "on course")
        if rollout.state.gate:
            for role in ("sponsor", "finance_owner"):
                rollout.decide(role, Choice.APPROVE.value)
        rollout.wait(timedelta(days=3))
    raise AssertionError(rollout.state.recent[-3:])


def stopped_in_pilot() -> Simulator:
    """A rollout that a breach paused and that its owners then gave up."""
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(timedelta(days=5))
    breach(rollout)
    rollout.wait(timedelta(days=2))
    fates = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    rollout.ask(Verb.STOP, "sponsor", "the breach stays", resolution=fates)
    if not rollout.state.terminal:
        rollout.ask(Verb.STOP, "finance_owner", "agreed", resolution=fates)
    assert rollout.state.terminal
    return rollout


def judge(rollout: Simulator, pause: int, role: str, verdict: PauseVerdict, why: str = "looked at it again") -> None:
    """An owner judges a pause."""
    rollout.ask(Verb.JUDGE_PAUSE, role, why, pause=pause, verdict=verdict)


def baseline(cohort: str, metric: MetricName, value: float | None) -> Baseline:
    return Baseline(
        cohort=cohort,
        metric=metric,
        window=Window(start=START - timedelta(days=28), end=START),
        value=value,
        n_partners=12,
        n_facts=100,
        definition_version=1,
        evidence_digest="sha256:b",
    )


def reading(
    value: float | None,
    day: float,
    verdict: Verdict = Verdict.MET,
    *,
    cohort: str = "pilot",
    metric: MetricName = SLA,
    begin: datetime = START,
) -> JudgedReading:
    """One look, so many days after the start."""
    beyond = {Verdict.MET: False, Verdict.NOT_MET: True}.get(verdict)
    as_of = begin + timedelta(days=day)
    return JudgedReading(cohort=cohort, metric=metric, as_of=as_of, value=value, verdict=verdict, beyond=beyond)


READINGS = Readings(
    baselines=tuple(
        baseline(cohort, metric, value)
        for cohort in ("pilot", "wave-one", "wave-two")
        for metric, value in ((SLA, 90.0), (MARGIN, 25.0))
    ),
    judged=(
        reading(91.0, 3),
        reading(86.0, 5),
        reading(80.0, 7, Verdict.NOT_MET),
        reading(40.0, 8, Verdict.CANNOT_TELL),
        reading(None, 9, Verdict.NO_EVIDENCE),
        reading(89.0, 20),
        reading(24.0, 20, metric=MARGIN),
        reading(22.0, 25, metric=MARGIN),
    ),
)
