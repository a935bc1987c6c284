"""The commented plan that `rollouts plan new` writes: valid as it is, every part to be replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import yaml

from models.base import format_duration, parse_duration
from models.metric import CATALOGUE, MetricSpec, MetricUse
from models.plan_metric import WARNED_AHEAD, MetricPlan
from models.plan_rules_quality import agreed_anew
from models.quality import QualityBound

_APPROVALS = {
    "A": "",
    "B": """  prepare_to_pilot: {roles: [sponsor, finance_owner], quorum: 1, due: 7d, remind_before: 2d}
  validate_to_scale:
    roles: [sponsor, finance_owner, compliance_owner]
    quorum: 2                              # distinct persons, each of another role; never the proposer
    required: [finance_owner]
    due: 7d
    remind_before: 2d
    escalate_to: [sponsor]
  wave: {roles: [sponsor, finance_owner], quorum: 1, due: 7d}
""",
    "C": """  prepare_to_scale:                        # everybody at once: a stricter rule
    roles: [sponsor, finance_owner, compliance_owner]
    quorum: 3
    due: 14d
    remind_before: 4d
    escalate_to: [sponsor]
""",
}

_TEXT = """\
# A plan for Partner Rollouts. Replace what is in here, then: rollouts plan validate FILE
# Durations are programme time: 90d, 2w, 36h, 1d12h. What each part means: docs/plans.md
# An editor completes and checks it after: rollouts plan schema > plan.schema.json
# yaml-language-server: $schema=plan.schema.json
schema_version: 1
framework: B0129
id: "{id}"
title: "{id}"
name_variants:
  english: Channel Partner Performance Framework
  katakana: チャネルパートナー
  kanji: 成果枠組
quality: draft                             # draft, reviewed or approved
updated: "{today}"
sources:
  - {{title: Where the figures come from, reference: a document or page}}
conflict_of_interest:
  statement: none
  policy: bar                              # bar: a declared conflict bars a decision; record: it is written down
context: What recurs, who reads which metric differently, and why it must be decided now.
options:
  A: {{description: Maintain the current approach, gains: [no disruption], costs: [little learned]}}
  B: {{description: "Pilot, validate, scale in waves", gains: [coverage grows with evidence], costs: [takes longer]}}
  C: {{description: Redesign for everybody at once, gains: [largest effect], costs: [high execution risk]}}
chosen: {option}
decision: What was decided, in one or two sentences.
trade_off: What is given up for what.
rationale: Why this option.
risks:                                     # shown_by: what of the log tells whether it came true
  - risk: Weak data quality hides changes
    mitigation: Stale or thin data hold the rollout
    shown_by: {{waits: [data]}}             # any of metrics, waits (people, data, results) and roles
next_steps: [Confirm ownership, Finalise baselines, Schedule the first review, Communicate the plan]
proposer: programme.owner@example.com
owners:                                    # one person, one role
  - {{role: sponsor, name: The Sponsor, identity: sponsor@example.com, contact: sponsor@example.com}}
  - role: programme_owner
    name: The Programme Owner
    identity: programme.owner@example.com
    contact: programme.owner@example.com
  - {{role: finance_owner, name: The Finance Owner, identity: finance@example.com, contact: finance@example.com}}
  - {{role: compliance_owner, name: The Compliance Owner, identity: legal@example.com, contact: legal@example.com}}
  - {{role: revops_owner, name: The Sales Operations Owner, identity: revops@example.com, contact: revops@example.com}}
  - {{role: enablement_owner, name: The Enablement Owner, identity: enable@example.com, contact: enable@example.com}}
constraints: [What must not happen]
cohorts:                                   # by partner ids, or by tier, region, type; resolved once and frozen
{cohorts}metrics:                                   # >= 20 absolute, >= -5% against the baseline, >= -2pp points
{metrics}not_measured: []                           # each metric left out, with its reason
phases:
  baseline_window: {baseline}
  pilot: 90d
  validate: 14d
  cadence: 1d
  watchdog: 3d
approvals:
{approvals}  override: {{roles: [sponsor, finance_owner, revops_owner], quorum: 2, required: [sponsor], due: 7d}}
  stop: {{roles: [sponsor, finance_owner, compliance_owner], quorum: 1, due: 7d}}
reviews: {{first: 30d, every: 30d, grace: 7d, roles: [programme_owner, sponsor]}}
stop_conditions:                           # beyond what a guardrail pauses for; a stop cannot be taken back
{stops}on_automatic_stop: {{finished: keep, current: withdraw, pending: withdraw}}
communication:
  - {{team: Channel account managers, contact: channel-managers@example.com}}
freeze_windows: []
#  - {{name: year end, start: "2026-12-20T00:00:00Z", end: "2027-01-06T00:00:00Z"}}
"""


_COHORTS = """\
  pilot: {name: pilot, select: {tier: [gold, silver], region: [emea], limit: 24}}
  control: {name: control, select: {tier: [gold, silver], region: [amer], limit: 24}}
  waves:
    - {name: wave-emea, select: {region: [emea]}, bake: 14d}
    - {name: wave-rest, select: {region: [amer, apac]}, bake: 14d}
"""


class Filled(NamedTuple):
    """The parts of a plan's text that history can fill in, each with its comments; whole lines."""

    cohorts: str
    metrics: str
    stops: str
    baseline: str


def plan_template(plan_id: str, option: str, filled: Filled | None = None) -> str:
    """A plan's text for option A, B or C; with the catalogue's defaults where nothing is filled in."""
    parts = filled or Filled(
        _COHORTS, "".join(metric_text(spec) for spec in CATALOGUE.values()), "".join(_stops()), "90d"
    )
    today = datetime.now(UTC).date().isoformat()
    return _TEXT.format(
        id=plan_id,
        option=option,
        today=today,
        approvals=_APPROVALS[option],
        **parts._asdict(),
    )


def metric_text(spec: MetricSpec, most: int | None = None) -> str:
    """What a plan says of a metric to begin with; of one that no plan must answer for, as a comment.

    Args:
        most: partners that the smallest cohort has; a sample of more could never be reached.
    """
    agreed = spec.defaults
    partners = agreed.partners if most is None else min(agreed.partners, most)
    told = {MetricUse.OUTCOME: "not met holds at the gate", MetricUse.GUARDRAIL: "not met pauses the rollout"}[spec.use]
    lines = [f"  - metric: {spec.name.value}".ljust(43) + f"# {spec.use.value}, {spec.direction.value}: {told}"]
    lines += [window_text(spec), f"    thresholds: {_limits(agreed.thresholds)}"]
    if agreed.warns_unless:
        lines.append(f"    warning: {_limits(agreed.warns_unless)}".ljust(43) + "# beyond it: a warning, nothing more")
    lines += ahead_text(spec)
    if spec.use is MetricUse.GUARDRAIL:
        noisy = f"; people often agree {agreed.looks_in_a_row - 1}" if agreed.looks_in_a_row > 1 else ""
        lines.append("    tolerance: {in_a_row: 0}".ljust(43) + f"# breaches that are tolerated{noisy}")
    lines.append(f"    minimum_sample: {{partners: {partners}, facts: {agreed.facts}}}")
    lines.append(f"    freshness: {agreed.freshness}")
    lines += checks_text(spec)
    if spec.use is MetricUse.GUARDRAIL:
        lines.append("    on_breach: pause".ljust(43) + "# pause, stop or warn")
    return "".join(f"{line if spec.framework else '#' + line[1:]}\n" for line in lines)


def usual_text(spec: MetricSpec) -> str:
    """The same without the comment's sign, also of one that no plan must answer for."""
    lines = (line.replace("#", " ", 1) if line.startswith("#") else line for line in metric_text(spec).splitlines())
    return "".join(f"{line}\n" for line in lines)


def usual_rule(spec: MetricSpec) -> MetricPlan:
    """The same as a plan has it once it is read."""
    [rule] = yaml.safe_load(usual_text(spec))
    return MetricPlan.model_validate_json(json.dumps(rule))


def window_text(spec: MetricSpec) -> str:
    """What a new plan says of a metric's window, with what must lie in it."""
    months = spec.defaults.closed_months
    told = f"# a closed month lies in it, also with data {spec.defaults.freshness} old" if months else ""
    return f"    window: {spec.defaults.window}".ljust(43 if told else 0) + told


def ahead_text(spec: MetricSpec) -> list[str]:
    """What a new plan says of breaches that can be seen coming, as lines: those of leads alone."""
    if spec.met_by is None:
        return []
    told = f"    warn_ahead: {format_duration(WARNED_AHEAD)}".ljust(43)
    return [f"{told}# business hours before leads are due that would tip the limit"]


def checks_text(spec: MetricSpec, *, by_change: bool = False) -> list[str]:
    """What a new plan says of the checks of a metric's data, as lines: those that plans from before are silent on.

    Args:
        by_change: the metric is judged by its change, which rests on the partners that it is compared with.
    """
    agreed = agreed_anew(spec.name, parse_duration(spec.defaults.freshness), by_change=by_change)
    written = [_bound_text(one) for one in agreed]
    if len(written) < 3:
        return [f"    data_quality: [{', '.join(written)}]"] if written else []
    return ["    data_quality:", *(f"      - {one}" for one in written)]


def _bound_text(bound: QualityBound) -> str:
    numbers = (("amber", bound.amber), ("red", bound.red))
    told = "".join(f", {name}: {number:g}" for name, number in numbers if number is not None)
    return f"{{check: {bound.check.value}{told}}}"


def _limits(limits: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{limit}"' for limit in limits) + "]"


def _stops() -> Iterator[str]:
    for spec in CATALOGUE.values():
        for limit in spec.defaults.stops_unless:
            yield f'  - {{condition: {spec.title} breaks down, metric: {spec.name.value}, unless: "{limit}"}}\n'
