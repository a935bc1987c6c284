"""The commented plan that `rollouts plan new` writes: valid as it is, every part to be replaced."""

from __future__ import annotations

from datetime import UTC, datetime

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
risks:
  - {{risk: Weak data quality hides changes, mitigation: Stale or thin data hold the rollout}}
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
  pilot: {{name: pilot, select: {{tier: [gold, silver], region: [emea], limit: 24}}}}
  control: {{name: control, select: {{tier: [gold, silver], region: [amer], limit: 24}}}}
  waves:
    - {{name: wave-emea, select: {{region: [emea]}}, bake: 14d}}
    - {{name: wave-rest, select: {{region: [amer, apac]}}, bake: 14d}}
metrics:                                   # >= 20 absolute, >= -5% against the baseline, >= -2pp points against it
  - metric: contribution_margin
    window: 90d
    thresholds: [">= 20", ">= -5pp"]
    minimum_sample: {{partners: 10, facts: 30}}
    freshness: 21d
  - metric: pipeline_velocity
    window: 90d
    thresholds: [">= -25%"]
    minimum_sample: {{partners: 8, facts: 30}}
    freshness: 21d
  - metric: compliance_score
    window: 90d
    thresholds: [">= 88"]
    warning: [">= 90"]
    minimum_sample: {{partners: 10, facts: 10}}
    freshness: 60d
  - metric: mdf_spend                      # a guardrail: not met pauses the rollout
    window: 90d
    thresholds: ["<= 115", ">= 60"]
    minimum_sample: {{partners: 5, facts: 5}}
    freshness: 60d
  - metric: enablement_completion
    window: 90d
    thresholds: [">= 80"]
    minimum_sample: {{partners: 10, facts: 50}}
    freshness: 45d
  - metric: lead_follow_up_sla
    window: 28d
    thresholds: [">= 85"]
    tolerance: {{in_a_row: 0}}             # breaches that are tolerated; a breach is strictly more
    minimum_sample: {{partners: 10, facts: 100}}
    freshness: 7d
    on_breach: pause                       # pause, stop or warn
not_measured: []                           # each metric left out, with its reason
phases:
  baseline_window: 90d
  pilot: 90d
  validate: 14d
  cadence: 1d
  watchdog: 3d
approvals:
{approvals}  override: {{roles: [sponsor, finance_owner, revops_owner], quorum: 2, required: [sponsor], due: 7d}}
  stop: {{roles: [sponsor, finance_owner, compliance_owner], quorum: 1, due: 7d}}
reviews: {{first: 30d, every: 30d, grace: 7d, roles: [programme_owner, sponsor]}}
stop_conditions:
  - {{condition: The lead follow-up SLA collapses, metric: lead_follow_up_sla, unless: ">= 40"}}
on_automatic_stop: {{finished: keep, current: withdraw, pending: withdraw}}
communication:
  - {{team: Channel account managers, contact: channel-managers@example.com}}
freeze_windows: []
#  - {{name: year end, start: "2026-12-20T00:00:00Z", end: "2027-01-06T00:00:00Z"}}
"""


def plan_template(plan_id: str, option: str) -> str:
    """A plan's text for option A, B or C."""
    today = datetime.now(UTC).date().isoformat()
    return _TEXT.format(id=plan_id, option=option, today=today, approvals=_APPROVALS[option])
