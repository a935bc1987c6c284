"""Rules across a plan's fields: each names the field, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import BaseModel

from models.base import Frozen, format_duration
from models.metric import CATALOGUE, Direction, MetricName, MetricUse
from models.plan_metric import Basis, OnBreach, Threshold

if TYPE_CHECKING:
    from models.plan import ApprovalRule, CohortSpec, RolloutPlan

REDESIGN_ROLES = 3
"""Roles that must agree to option C, or all roles that may approve where they are fewer."""


class BrokenRule(Frozen):
    """A rule the plan breaks. `field` is a dotted path such as `approvals.wave.roles` or `metrics.0.metric`."""

    field: str
    message: str


Broken = Iterator[BrokenRule]
Rule = Callable[["RolloutPlan"], Broken]


def broken_rules(plan: RolloutPlan) -> tuple[BrokenRule, ...]:
    """Every cross-field rule the plan breaks, rule by rule. Quick and pure: it also runs wherever a plan is read."""
    return tuple(broken for rule in _RULES for broken in rule(plan))


# Owners and approvals


def _one_role_per_person(plan: RolloutPlan) -> Broken:
    seen: dict[str, str] = {}
    for index, owner in enumerate(plan.owners):
        person = owner.identity.casefold()
        if person in seen:
            told = f"{owner.identity} stands here as {owner.role} and before as {seen[person]}"
            yield BrokenRule(field=f"owners.{index}.identity", message=f"{told}; one person holds one role")
        seen.setdefault(person, owner.role)


def _roles_are_held(plan: RolloutPlan) -> Broken:
    held = {owner.role for owner in plan.owners}
    named = [(f"reviews.roles.{index}", role) for index, role in enumerate(plan.reviews.roles)]
    for field, rule in _approval_rules(plan):
        for part in ("roles", "required", "escalate_to"):
            named += [(f"{field}.{part}.{index}", role) for index, role in enumerate(getattr(rule, part))]
    for field, role in named:
        if role not in held:
            told = f"no owner holds the role {role}; owners hold {', '.join(sorted(held))}"
            yield BrokenRule(field=field, message=told)


def _required_may_approve(plan: RolloutPlan) -> Broken:
    for field, rule in _approval_rules(plan):
        for index, role in enumerate(rule.required):
            if role not in rule.roles:
                told = f"{role} is required but may not approve; roles are {', '.join(rule.roles)}"
                yield BrokenRule(field=f"{field}.required.{index}", message=told)
        if len(set(rule.required)) > rule.quorum:
            told = f"quorum is {rule.quorum}, but {len(set(rule.required))} roles are required; quorum cannot be less"
            yield BrokenRule(field=f"{field}.quorum", message=told)


def _quorum_can_be_reached(plan: RolloutPlan) -> Broken:
    """Each approval comes from another person with another role, and the proposer approves nothing but a stop."""
    for field, rule in _approval_rules(plan):
        able = _able(plan, stop=field == "approvals.stop")
        reach = set(rule.roles) & able
        if len(reach) < rule.quorum:
            told = f"quorum is {rule.quorum}, but only {len(reach)} of the roles can be counted ({_said(reach)})"
            more = "each approval comes from another role"
            if field != "approvals.stop":
                more += ", and the proposer does not count"
            yield BrokenRule(field=f"{field}.quorum", message=f"{told}; {more}")
        held = {owner.role for owner in plan.owners}
        for index, role in enumerate(rule.required):
            if role in held and role not in able:
                told = f"{role} is required, but only the proposer holds it, who cannot approve their own change"
                yield BrokenRule(field=f"{field}.required.{index}", message=told)


def _reminder_before_due(plan: RolloutPlan) -> Broken:
    for field, rule in _approval_rules(plan):
        if rule.remind_before is not None and rule.remind_before >= rule.due:
            told = f"{format_duration(rule.remind_before)} is not less than due, which is {format_duration(rule.due)}"
            yield BrokenRule(field=f"{field}.remind_before", message=told)


def _option_has_its_approvals(plan: RolloutPlan) -> Broken:
    needed = {"B": ("prepare_to_pilot", "validate_to_scale"), "C": ("prepare_to_scale",)}
    for gate in needed.get(plan.chosen.value, ()):
        if getattr(plan.approvals, gate) is None:
            told = f"missing: option {plan.chosen.value} needs {' and '.join(needed[plan.chosen.value])}"
            yield BrokenRule(field=f"approvals.{gate}", message=told)


def _staged_has_waves(plan: RolloutPlan) -> Broken:
    if plan.chosen.value == "B" and not plan.cohorts.waves:
        yield BrokenRule(field="cohorts.waves", message="no wave is named; option B scales in at least one")


def _redesign_asks_for_most(plan: RolloutPlan) -> Broken:
    rule = plan.approvals.prepare_to_scale
    if plan.chosen.value != "C" or rule is None:
        return
    field = "approvals.prepare_to_scale.quorum"
    least = min(REDESIGN_ROLES, len(_able(plan, stop=False)))
    if rule.quorum < least:
        told = f"quorum is {rule.quorum}; option C takes everybody at once and needs at least {least}"
        yield BrokenRule(field=field, message=told)
    name, highest = max(((other, one.quorum) for other, one in _approval_rules(plan)), key=lambda pair: pair[1])
    if rule.quorum < highest:
        told = f"quorum is {rule.quorum}; option C asks for no less than any other rule, and {name} asks for {highest}"
        yield BrokenRule(field=field, message=told)


# Time


def _durations_are_whole_minutes(plan: RolloutPlan) -> Broken:
    """A plan is written down in minutes: less would be lost, and read back as another plan."""
    for field, value in _durations(plan, ""):
        if value <= timedelta(0):
            yield BrokenRule(field=field, message="found no time at all; a duration is longer than zero")
        elif value % timedelta(minutes=1):
            yield BrokenRule(field=field, message=f"found {value.total_seconds():g} seconds; use whole minutes")


def _cadence_fits(plan: RolloutPlan) -> Broken:
    phases = plan.phases
    cadence = format_duration(phases.cadence)
    if phases.cadence > phases.pilot:
        told = f"{cadence} is longer than the pilot ({format_duration(phases.pilot)}), which would never be looked at"
        yield BrokenRule(field="phases.cadence", message=told)
    if phases.watchdog < phases.cadence:
        told = f"{format_duration(phases.watchdog)} is less than the cadence ({cadence}); it would hold each time"
        yield BrokenRule(field="phases.watchdog", message=told)


def _freezes_are_distinct(plan: RolloutPlan) -> Broken:
    for (_, one), (index, other) in combinations(enumerate(plan.freeze_windows), 2):
        if one.name == other.name:
            told = f"{other.name!r} is the name of an earlier freeze window; names are unique"
            yield BrokenRule(field=f"freeze_windows.{index}.name", message=told)
        if one.start < other.end and other.start < one.end:
            told = f"{other.name!r} overlaps with {one.name!r}; make one window of them"
            yield BrokenRule(field=f"freeze_windows.{index}", message=told)


def _freezes_leave_time(plan: RolloutPlan) -> Broken:
    phases = plan.phases
    planned = sum((wave.bake for wave in plan.cohorts.waves), phases.pilot + phases.validate_for)
    frozen = sum((window.end - window.start for window in plan.freeze_windows), timedelta(0))
    if plan.freeze_windows and frozen >= planned:
        told = f"frozen for {format_duration(frozen)}, but pilot, validate and waves take {format_duration(planned)}"
        yield BrokenRule(field="freeze_windows", message=f"{told}; a freeze must not cover the whole plan")


# Cohorts


def _cohort_names_are_unique(plan: RolloutPlan) -> Broken:
    seen: dict[str, str] = {}
    for field, cohort in _cohorts(plan):
        if cohort.name in seen:
            told = f"{cohort.name} is the name of {seen[cohort.name]} already; names are unique"
            yield BrokenRule(field=f"{field}.name", message=told)
        seen.setdefault(cohort.name, field)


def _partners_stand_once(plan: RolloutPlan) -> Broken:
    seen: dict[str, str] = {}
    for field, cohort in _cohorts(plan):
        for index, partner in enumerate(cohort.partners):
            if partner in seen:
                told = f"{partner} stands in {seen[partner]} already; a partner belongs to one cohort, once"
                yield BrokenRule(field=f"{field}.partners.{index}", message=told)
            seen.setdefault(partner, field)


def _selectors_select(plan: RolloutPlan) -> Broken:
    for field, cohort in _cohorts(plan):
        select = cohort.select
        if select is not None and not (select.tier or select.region or select.type or select.limit):
            told = "selects every partner there is; name at least one of tier, region, type or limit"
            yield BrokenRule(field=f"{field}.select", message=told)


# Metrics


def _metrics_stand_once(plan: RolloutPlan) -> Broken:
    seen: dict[MetricName, str] = {}
    places = [(f"metrics.{index}.metric", one.metric) for index, one in enumerate(plan.metrics)]
    places += [(f"not_measured.{index}.metric", one.metric) for index, one in enumerate(plan.not_measured)]
    for field, metric in places:
        if metric in seen:
            told = f"{metric.value} stands in {seen[metric]} already; each metric is either measured or not, once"
            yield BrokenRule(field=field, message=told)
        seen.setdefault(metric, field.split(".")[0])


def _no_metric_is_forgotten(plan: RolloutPlan) -> Broken:
    named = {one.metric for one in plan.metrics} | {one.metric for one in plan.not_measured}
    for metric in MetricName:
        if metric not in named:
            told = f"{metric.value} is missing; measure it here, or give the reason in not_measured"
            yield BrokenRule(field="metrics", message=told)


def _something_is_judged(plan: RolloutPlan) -> Broken:
    if not any(one.purpose is MetricUse.OUTCOME or one.on_breach is not OnBreach.WARN for one in plan.metrics):
        told = "every metric is a guardrail that only warns; at least one must decide something"
        yield BrokenRule(field="metrics", message=told)


def _thresholds_agree(plan: RolloutPlan) -> Broken:
    for index, metric in enumerate(plan.metrics):
        for basis in Basis:
            low = _strictest(metric.thresholds, basis, at_least=True)
            high = _strictest(metric.thresholds, basis, at_least=False)
            if low and high and not _leave_room(low, high):
                told = f"{low} and {high} can never hold together"
                yield BrokenRule(field=f"metrics.{index}.thresholds", message=told)


def _thresholds_face_the_right_way(plan: RolloutPlan) -> Broken:
    for index, metric in enumerate(plan.metrics):
        direction = CATALOGUE[metric.metric].direction
        wanted = {Direction.HIGHER: True, Direction.LOWER: False}.get(direction)
        if wanted is not None and all(limit.at_least is not wanted for limit in metric.thresholds):
            told = f"no threshold with {'>=' if wanted else '<='}, but for {metric.metric.value} {direction.value}"
            yield BrokenRule(field=f"metrics.{index}.thresholds", message=told)


def _warnings_come_first(plan: RolloutPlan) -> Broken:
    for index, metric in enumerate(plan.metrics):
        for place, warning in enumerate(metric.warning):
            agreed = _strictest(metric.thresholds, warning.basis, at_least=warning.at_least)
            if agreed and _strictness(warning) < _strictness(agreed):
                told = f"{warning} is looser than the threshold {agreed}; a warning comes before the breach"
                yield BrokenRule(field=f"metrics.{index}.warning.{place}", message=told)


def _sample_fits_the_pilot(plan: RolloutPlan) -> Broken:
    pilot = plan.cohorts.pilot
    size = len(pilot.partners) or (pilot.select.limit if pilot.select else None)
    for index, metric in enumerate(plan.metrics):
        least = metric.minimum_sample.partners
        if size is not None and least > size:
            told = f"asks for {least} partners, but the pilot has {size}; it could never be told"
            yield BrokenRule(field=f"metrics.{index}.minimum_sample.partners", message=told)


def _stop_conditions_are_measured(plan: RolloutPlan) -> Broken:
    for index, condition in enumerate(plan.stop_conditions):
        if condition.metric is not None and plan.metric(condition.metric) is None:
            measured = ", ".join(one.metric.value for one in plan.metrics)
            told = f"{condition.metric.value} is not measured in this rollout; measured are {measured}"
            yield BrokenRule(field=f"stop_conditions.{index}.metric", message=told)


_RULES: tuple[Rule, ...] = (
    _one_role_per_person,
    _cohort_names_are_unique,
    _partners_stand_once,
    _selectors_select,
    _staged_has_waves,
    _metrics_stand_once,
    _no_metric_is_forgotten,
    _something_is_judged,
    _thresholds_agree,
    _thresholds_face_the_right_way,
    _warnings_come_first,
    _sample_fits_the_pilot,
    _durations_are_whole_minutes,
    _cadence_fits,
    _option_has_its_approvals,
    _roles_are_held,
    _required_may_approve,
    _quorum_can_be_reached,
    _reminder_before_due,
    _redesign_asks_for_most,
    _stop_conditions_are_measured,
    _freezes_are_distinct,
    _freezes_leave_time,
)


def _approval_rules(plan: RolloutPlan) -> Iterator[tuple[str, ApprovalRule]]:
    for name in type(plan.approvals).model_fields:
        rule = getattr(plan.approvals, name)
        if rule is not None:
            yield f"approvals.{name}", rule


def _able(plan: RolloutPlan, *, stop: bool) -> set[str]:
    """Roles that somebody holds whose agreement counts."""
    proposer = plan.proposer.casefold()
    return {owner.role for owner in plan.owners if stop or owner.identity.casefold() != proposer}


def _cohorts(plan: RolloutPlan) -> Iterator[tuple[str, CohortSpec]]:
    yield "cohorts.pilot", plan.cohorts.pilot
    if plan.cohorts.control:
        yield "cohorts.control", plan.cohorts.control
    for index, wave in enumerate(plan.cohorts.waves):
        yield f"cohorts.waves.{index}", wave


def _durations(value: object, path: str) -> Iterator[tuple[str, timedelta]]:
    if isinstance(value, timedelta):
        yield path, value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _durations(item, f"{path}.{index}")
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _durations(getattr(value, name), f"{path}.{field.alias or name}".lstrip("."))


def _strictness(limit: Threshold) -> tuple[float, bool]:
    """Larger is stricter, among limits of one basis and side."""
    return (limit.number if limit.at_least else -limit.number, not limit.inclusive)


def _strictest(limits: tuple[Threshold, ...], basis: Basis, *, at_least: bool) -> Threshold | None:
    alike = (limit for limit in limits if limit.basis is basis and limit.at_least is at_least)
    return max(alike, key=_strictness, default=None)


def _leave_room(low: Threshold, high: Threshold) -> bool:
    if low.number == high.number:
        return low.inclusive and high.inclusive
    return low.number < high.number


def _said(roles: set[str]) -> str:
    return ", ".join(sorted(roles)) or "none"
