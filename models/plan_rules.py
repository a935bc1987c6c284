"""Rules across a plan's fields: each names the field, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from models.base import format_duration
from models.plan_rule import Broken, BrokenRule, Rule
from models.plan_rules_change import CHANGE_RULES
from models.plan_rules_metric import METRIC_RULES
from models.plan_rules_quality import QUALITY_RULES
from models.plan_rules_risk import RISK_RULES
from models.plan_rules_tolerance import TOLERANCE_RULES

if TYPE_CHECKING:
    from models.plan import ApprovalRule, CohortSpec, Phases, RolloutPlan, Selector

REDESIGN_ROLES = 3
"""Roles that must agree to option C, or all roles that may approve where they are fewer."""

WATCH_SPEAKS = timedelta(days=1)
"""Longest programme time for which a watch that sees no change keeps quiet, give or take one cadence."""


def broken_rules(plan: RolloutPlan) -> tuple[BrokenRule, ...]:
    """Every cross-field rule the plan breaks, rule by rule. Quick and pure: it also runs wherever a plan is read."""
    return tuple(broken for rule in RULES for broken in rule(plan))


def _supersedes_another(plan: RolloutPlan) -> Broken:
    """A plan that supersedes itself."""
    if plan.supersedes is not None and plan.supersedes.rollout == plan.id:
        told = f"{plan.id} is this plan's own id; a next cycle is another rollout and has another id"
        yield BrokenRule(field="supersedes.rollout", message=told)


# Owners and approvals


def _one_role_per_person(plan: RolloutPlan) -> Broken:
    """A person who holds two roles."""
    seen: dict[str, str] = {}
    for index, owner in enumerate(plan.owners):
        person = owner.identity.casefold()
        if person in seen:
            told = f"{owner.identity} stands here as {owner.role} and before as {seen[person]}"
            yield BrokenRule(field=f"owners.{index}.identity", message=f"{told}; one person holds one role")
        seen.setdefault(person, owner.role)
    signers: dict[tuple[str | None, str | None], str] = {}
    for index, owner in enumerate(plan.owners):
        signer = (owner.issuer, owner.subject)
        if owner.subject is not None and signer in signers:
            told = f"{owner.identity} signs in as the same person as {signers[signer]}"
            yield BrokenRule(field=f"owners.{index}.subject", message=f"{told}; one person holds one role")
        signers.setdefault(signer, owner.identity)


def _signed_names_every_signer(plan: RolloutPlan) -> Broken:
    """Signed decisions, and an owner without issuer and subject."""
    if plan.decisions != "signed":
        return
    for index, owner in enumerate(plan.owners):
        if owner.subject is None:
            told = f"missing: decisions are signed, and nothing says whose signature is that of {owner.identity}"
            yield BrokenRule(field=f"owners.{index}.subject", message=f"{told}; name issuer and subject")


def _roles_are_held(plan: RolloutPlan) -> Broken:
    """A role that no owner holds, in an approval rule, an escalation or a review, or by which a risk is to be shown."""
    held = {owner.role for owner in plan.owners}
    named = [(f"reviews.roles.{index}", role) for index, role in enumerate(plan.reviews.roles)]
    for index, risk in enumerate(plan.risks):
        shown = risk.shown_by.roles if risk.shown_by else ()
        named += [(f"risks.{index}.shown_by.roles.{place}", role) for place, role in enumerate(shown)]
    for field, rule in _approval_rules(plan):
        for part in ("roles", "required", "escalate_to"):
            named += [(f"{field}.{part}.{index}", role) for index, role in enumerate(getattr(rule, part))]
    for field, role in named:
        if role not in held:
            told = f"no owner holds the role {role}; owners hold {', '.join(sorted(held))}"
            yield BrokenRule(field=field, message=told)


def _required_may_approve(plan: RolloutPlan) -> Broken:
    """A required role that may not approve, and a quorum of less than the required roles."""
    for field, rule in _approval_rules(plan):
        for index, role in enumerate(rule.required):
            if role not in rule.roles:
                told = f"{role} is required but may not approve; roles are {', '.join(rule.roles)}"
                yield BrokenRule(field=f"{field}.required.{index}", message=told)
        if len(set(rule.required)) > rule.quorum:
            told = f"quorum is {rule.quorum}, but {len(set(rule.required))} roles are required; quorum cannot be less"
            yield BrokenRule(field=f"{field}.quorum", message=told)


def _quorum_can_be_reached(plan: RolloutPlan) -> Broken:
    """A quorum that the proposer would be needed for, or that is larger than the roles that may approve.

    Each approval comes from another person with another role, and the proposer approves nothing but a stop.
    """
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
    """A reminder at or before the moment the gate opens."""
    for field, rule in _approval_rules(plan):
        if rule.remind_before is not None and rule.remind_before >= rule.due:
            told = f"{format_duration(rule.remind_before)} is not less than due, which is {format_duration(rule.due)}"
            yield BrokenRule(field=f"{field}.remind_before", message=told)


def _option_has_its_approvals(plan: RolloutPlan) -> Broken:
    """An option without its approvals: B needs `prepare_to_pilot` and `validate_to_scale`, C `prepare_to_scale`."""
    needed = {"B": ("prepare_to_pilot", "validate_to_scale"), "C": ("prepare_to_scale",)}
    for gate in needed.get(plan.chosen.value, ()):
        if getattr(plan.approvals, gate) is None:
            told = f"missing: option {plan.chosen.value} needs {' and '.join(needed[plan.chosen.value])}"
            yield BrokenRule(field=f"approvals.{gate}", message=told)


def _staged_has_waves(plan: RolloutPlan) -> Broken:
    """Option B without a wave."""
    if plan.chosen.value == "B" and not plan.cohorts.waves:
        yield BrokenRule(field="cohorts.waves", message="no wave is named; option B scales in at least one")


def _redesign_asks_for_most(plan: RolloutPlan) -> Broken:
    """Option C with a quorum below three (below all who may approve, where they are fewer), or below another rule's."""
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
    """A duration of no time at all, or with seconds.

    A plan is written down in minutes: less would be lost, and read back as another plan.
    """
    for field, value in _durations(plan, ""):
        if value <= timedelta(0):
            yield BrokenRule(field=field, message="found no time at all; a duration is longer than zero")
        elif value % timedelta(minutes=1):
            yield BrokenRule(field=field, message=f"found {value.total_seconds():g} seconds; use whole minutes")


def keeps_quiet(phases: Phases) -> timedelta:
    """The longest programme time between two words of the watch while nothing changes: looks are one cadence apart, and
    the first one a day after the last word brings the next."""
    return phases.cadence * -(-WATCH_SPEAKS // phases.cadence) if phases.cadence > timedelta(0) else timedelta(0)


def _cadence_fits(plan: RolloutPlan) -> Broken:
    """A cadence longer than the first phase that is watched, and a watchdog no longer than the watch keeps quiet."""
    phases = plan.phases
    cadence = format_duration(phases.cadence)
    name, first = ("validate", phases.validate_for) if plan.chosen.value == "A" else ("the pilot", phases.pilot)
    if phases.cadence > first:
        told = f"{cadence} is longer than {name} ({format_duration(first)}), which would never be looked at"
        yield BrokenRule(field="phases.cadence", message=told)
    quiet = keeps_quiet(phases)
    if phases.watchdog <= quiet:
        told = f"{format_duration(phases.watchdog)} is no longer than the watch keeps quiet when nothing changes"
        yield BrokenRule(field="phases.watchdog", message=f"{told} ({format_duration(quiet)}); use more")


def _first_review_comes(plan: RolloutPlan) -> Broken:
    """A first review after the rollout is planned to be over; option A waits for its review.

    Option A ends with its review, whenever that is; the others must not be over before anybody looked.
    """
    first, planned = plan.reviews.first, plan.planned_length
    if plan.chosen.value != "A" and first > planned:
        told = f"{format_duration(first)} is longer than the rollout is planned to take ({format_duration(planned)})"
        yield BrokenRule(field="reviews.first", message=f"{told}; no review would ever come")


def _freezes_are_distinct(plan: RolloutPlan) -> Broken:
    """Freeze windows of one name, or that overlap."""
    for (_, one), (index, other) in combinations(enumerate(plan.freeze_windows), 2):
        if one.name == other.name:
            told = f"{other.name!r} is the name of an earlier freeze window; names are unique"
            yield BrokenRule(field=f"freeze_windows.{index}.name", message=told)
        if one.start < other.end and other.start < one.end:
            told = f"{other.name!r} overlaps with {one.name!r}; make one window of them"
            yield BrokenRule(field=f"freeze_windows.{index}", message=told)


def _freezes_leave_time(plan: RolloutPlan) -> Broken:
    """Freeze windows over the whole plan: together as long as what is planned."""
    planned = plan.planned_length
    frozen = sum((window.end - window.start for window in plan.freeze_windows), timedelta(0))
    if plan.freeze_windows and frozen >= planned:
        told = f"frozen for {format_duration(frozen)}, but what is planned takes {format_duration(planned)}"
        yield BrokenRule(field="freeze_windows", message=f"{told}; a freeze must not cover the whole plan")


# Cohorts


def _cohort_names_are_unique(plan: RolloutPlan) -> Broken:
    """Cohorts of one name."""
    seen: dict[str, str] = {}
    for field, cohort in _cohorts(plan):
        if cohort.name in seen:
            told = f"{cohort.name} is the name of {seen[cohort.name]} already; names are unique"
            yield BrokenRule(field=f"{field}.name", message=told)
        seen.setdefault(cohort.name, field)


def _partners_stand_once(plan: RolloutPlan) -> Broken:
    """A partner named twice, in one cohort or in two."""
    seen: dict[str, str] = {}
    for field, cohort in _cohorts(plan):
        for index, partner in enumerate(cohort.partners):
            if partner in seen:
                told = f"{partner} stands in {seen[partner]} already; a partner belongs to one cohort, once"
                yield BrokenRule(field=f"{field}.partners.{index}", message=told)
            seen.setdefault(partner, field)


def _selectors_select(plan: RolloutPlan) -> Broken:
    """A cohort that selects everybody; option C may.

    Taking everybody is what option C is for; anywhere else it is an oversight.
    """
    for field, cohort in _cohorts(plan):
        select = cohort.select
        meant = plan.chosen.value == "C" and field != "cohorts.control"
        if select is not None and not meant and not (any(_criteria(select)) or select.limit):
            told = "selects every partner there is; name at least one of tier, region, type or limit"
            yield BrokenRule(field=f"{field}.select", message=told)


def _cohorts_leave_somebody(plan: RolloutPlan) -> Broken:
    """A cohort that an earlier one leaves nobody for.

    A partner belongs to the first cohort that selects it, so a cohort within an earlier one is always empty.
    """
    for (earlier, one), (field, other) in combinations(_cohorts(plan), 2):
        if one.select is not None and one.select.limit is None and _within(other, one.select):
            told = f"{other.name} can have no partner: {earlier} takes all of them, and comes first"
            yield BrokenRule(field=field, message=told)


RULES: tuple[Rule, ...] = (
    _supersedes_another,
    _one_role_per_person,
    _signed_names_every_signer,
    _cohort_names_are_unique,
    _partners_stand_once,
    _selectors_select,
    _cohorts_leave_somebody,
    _staged_has_waves,
    *METRIC_RULES,
    *CHANGE_RULES,
    *QUALITY_RULES,
    *RISK_RULES,
    *TOLERANCE_RULES,
    _durations_are_whole_minutes,
    _cadence_fits,
    _first_review_comes,
    _option_has_its_approvals,
    _roles_are_held,
    _required_may_approve,
    _quorum_can_be_reached,
    _reminder_before_due,
    _redesign_asks_for_most,
    _freezes_are_distinct,
    _freezes_leave_time,
)
"""All of them; each says first what it refuses, and the reference of fields is made of that."""


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


def _criteria(select: Selector) -> tuple[tuple[str, ...], ...]:
    return select.tier, select.region, select.type


def _within(cohort: CohortSpec, select: Selector) -> bool:
    """Whether the selector is sure to take every partner of the cohort."""
    wide = _criteria(select)
    narrow = _criteria(cohort.select) if cohort.select else ((),) * len(wide)
    return all(not wanted or (found and set(found) <= set(wanted)) for wanted, found in zip(wide, narrow, strict=True))


def _durations(value: object, path: str) -> Iterator[tuple[str, timedelta]]:
    if isinstance(value, timedelta):
        yield path, value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _durations(item, f"{path}.{index}")
    elif isinstance(value, BaseModel):
        for name, told in _lasting(type(value)):
            yield from _durations(getattr(value, name), f"{path}.{told}".lstrip("."))


@cache
def _lasting(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The fields that may hold a duration, by name and as they are written: most of a plan is text, and walking
    through all of it was half of what its rules cost."""
    fields = model.model_fields.items()
    return tuple((name, field.alias or name) for name, field in fields if _may_last(field.annotation))


def _may_last(kind: Any) -> bool:
    if isinstance(kind, type):
        if issubclass(kind, BaseModel):
            return bool(_lasting(kind))
        return issubclass(kind, timedelta) or kind is object
    if kind is Ellipsis or get_origin(kind) is Literal:
        return False
    if get_origin(kind) is Annotated:
        return _may_last(get_args(kind)[0])
    # What is not known is walked through.
    return any(map(_may_last, get_args(kind))) if get_args(kind) else True


def _said(roles: set[str]) -> str:
    return ", ".join(sorted(roles)) or "none"
