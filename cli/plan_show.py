"""A plan as people read it before they sign: everything it says, in the order in which they ask."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import clean
from models.base import format_duration, many, short
from models.metric import CATALOGUE
from models.plan import ApprovalRule, CohortSpec, GateName, OptionKey, RolloutPlan
from models.plan_change import ChangeRule
from models.plan_metric import MetricPlan


def whole_plan(plan: RolloutPlan) -> Group:
    """Everything the plan says."""
    parts = (_decision, _people, _cohorts, _metrics, _course, _stops)
    return Group(*(line for part in parts for line in part(plan)))


def _line(text: str, style: str = "") -> Text:
    return Text(clean(text), style)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _list(items: tuple[str, ...]) -> Iterator[Text]:
    yield from (_line(f"- {item}") for item in items) if items else (_line("none"),)


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(clean(cell)) for cell in cells))


def _roles(roles: tuple[str, ...]) -> str:
    return ", ".join(roles)


def _decision(plan: RolloutPlan) -> Iterator[RenderableType]:
    names, conflict = plan.name_variants, plan.conflict_of_interest
    effect = "bars a decision" if conflict.policy.value == "bar" else "is written down"
    yield _line(f"{plan.title}  ·  {plan.id}  ·  plan {short(plan.digest)}  ·  {plan.framework}", "bold")
    yield _line(f"{names.english} / {names.katakana} / {names.kanji}")
    yield _line(f"Quality: {plan.quality.value}, updated {plan.updated}, format {plan.schema_version}")
    yield _line(f"Conflict of interest: {conflict.statement}; one that is declared {effect} (policy {conflict.policy})")
    yield _line("Sources: " + "; ".join(f"{one.title} ({one.reference})" for one in plan.sources))
    yield _heading("Context")
    yield _line(plan.context)
    yield _heading("Options")
    for key, option in (("A", plan.options.A), ("B", plan.options.B), ("C", plan.options.C)):
        chosen = " ← chosen" if key == plan.chosen.value else ""
        yield _line(f"{key}: {option.description}{chosen}", "bold" if chosen else "")
        yield _line(f"   gains: {'; '.join(option.gains)}\n   costs: {'; '.join(option.costs)}")
    yield _heading("Decision")
    yield _line(f"{plan.decision}\nTrade-off: {plan.trade_off}")
    yield _heading("Rationale")
    yield _line(plan.rationale)
    yield _heading("Risks")
    for one in plan.risks:
        shown = f"\n  shown by: {one.shown_by.told}" if one.shown_by else ""
        yield _line(f"- {one.risk}\n  mitigation: {one.mitigation}{shown}")
    yield _heading("Next")
    yield from _list(plan.next_steps)
    yield _heading("Constraints")
    yield from _list(plan.constraints)


def _people(plan: RolloutPlan) -> Iterator[RenderableType]:
    yield _heading("Owners")
    rows = _table("role", "name", "decides as", "is told at")
    for owner in plan.owners:
        _row(rows, owner.role, owner.name, owner.identity, owner.contact)
    yield rows
    yield _line(f"Proposed by {plan.proposer}, whose approval does not count")
    yield _heading("Told before anybody is enrolled")
    yield from _list(tuple(f"{one.team} ({one.contact})" for one in plan.communication))
    yield _heading("Approvals")
    for name in type(plan.approvals).model_fields:
        rule = getattr(plan.approvals, name)
        if rule is not None:
            unused = name in set(GateName) - _gates(plan)
            yield _line(f"{name}: {_rule(rule)}" + (f"; option {plan.chosen} has no such gate" if unused else ""))


def _gates(plan: RolloutPlan) -> set[GateName]:
    """The gates the chosen option passes."""
    match plan.chosen:
        case OptionKey.MAINTAIN:
            return set()
        case OptionKey.REDESIGN:
            return {GateName.PREPARE_TO_SCALE}
        case _:
            return set(GateName) - {GateName.PREPARE_TO_SCALE}


def _rule(rule: ApprovalRule) -> str:
    told = f"{rule.quorum} of {_roles(rule.roles)}"
    if rule.required:
        told += f", {_roles(rule.required)} among them"
    told += f", due in {format_duration(rule.due)}"
    if rule.remind_before:
        told += f", reminded {format_duration(rule.remind_before)} before"
    return told + (f", then {_roles(rule.escalate_to)} is told" if rule.escalate_to else "")


def _cohorts(plan: RolloutPlan) -> Iterator[RenderableType]:
    yield _heading("Cohorts")
    rows = _table("cohort", "is", "who")
    waves = {wave.name: f"wave {number}" for number, wave in enumerate(plan.cohorts.waves, 1)}
    for spec in plan.cohort_specs():
        place = "pilot" if spec is plan.cohorts.pilot else waves.get(spec.name, "control, never enrolled")
        _row(rows, spec.name, place, _who(spec))
    yield rows


def _who(spec: CohortSpec) -> str:
    if spec.select is None:
        return f"{many(len(spec.partners), 'partner')}: {', '.join(spec.partners)}"
    named = (("tier", spec.select.tier), ("region", spec.select.region), ("type", spec.select.type))
    parts = [f"{name} {' or '.join(found)}" for name, found in named if found]
    limit = f", at most {spec.select.limit}" if spec.select.limit else ""
    return (", ".join(parts) or "any partner") + limit


def _metrics(plan: RolloutPlan) -> Iterator[RenderableType]:
    yield _heading("Metrics")
    rows = _table(
        "metric", "use", "agreed", "warns beyond", "window", "data at most", "tolerates", "rests on", "if not met"
    )
    for one in plan.metrics:
        _row(
            rows,
            CATALOGUE[one.metric].title,
            one.purpose.value,
            " and ".join(one.agreed),
            " or ".join(map(str, one.warning)) or "-",
            format_duration(one.window),
            f"{format_duration(one.freshness)} old",
            _tolerance(one),
            f"{many(one.minimum_sample.partners, 'partner')}, {many(one.minimum_sample.facts, 'fact')}",
            _consequence(one),
        )
    yield rows
    for one in plan.metrics:
        if one.can_warn_ahead:
            yield _line(f"{CATALOGUE[one.metric].title}: {_ahead(one)}")
        if one.change is not None:
            yield _line(_change(plan, one, one.change))
    if any(not one.must for one in plan.metrics):
        yield _line(f"Of the weight of outcomes that need not each be met, {plan.weighted_pass:g} must be")
    for left in plan.not_measured:
        yield _line(f"Not measured: {CATALOGUE[left.metric].title}: {left.reason}")


def _ahead(one: MetricPlan) -> str:
    within = format_duration(one.warn_ahead)
    return f"its owner is warned of leads due within {within} of opening hours that would take it beyond what is agreed"


def _change(plan: RolloutPlan, one: MetricPlan, rule: ChangeRule) -> str:
    """How a change is judged, so that whoever signs knows what would pause the rollout."""
    beside = plan.cohorts.control.name if plan.cohorts.control else "whoever is not enrolled yet"
    proven = f"by {rule.margin}" if rule.strict else f"at all, and by {rule.margin} at the best estimate"
    mature = format_duration(rule.maturity)
    return (
        f"{CATALOGUE[one.metric].title}, since its baseline against {beside}: not met when it is proven to have got "
        f"worse {proven}; met when it is proven not to have got worse by {rule.margin}; otherwise nobody can tell. "
        f"Days count once they are {mature} old. Over all looks a rollout that changes nothing is found worse in "
        f"{100 * rule.pause_risk:g} of 100 at most, which its guardrails share; one that is worse by the margin is "
        f"found met in {100 * rule.pass_risk:g} of 100. Method {rule.method}"
    )


def _tolerance(one: MetricPlan) -> str:
    tolerance = one.tolerance
    told = [f"{tolerance.in_a_row} in a row"]
    if tolerance.in_all is not None:
        told.append(f"{tolerance.in_all} in all")
    if tolerance.cannot_tell is not None:
        told.append(f"{tolerance.cannot_tell} that cannot tell")
    if tolerance.no_evidence_in_a_row is not None:
        told.append(f"{tolerance.no_evidence_in_a_row} in a row without evidence")
    if tolerance.met_in_a_row > 1:
        told.append(f"met only after {tolerance.met_in_a_row} in a row")
    return ", ".join(told)


def _consequence(one: MetricPlan) -> str:
    if one.purpose.value == "guardrail" or one.on_breach.value == "warn":
        return one.on_breach.value
    return "hold at the gate" if one.must else f"counts {one.weight:g}"


def _course(plan: RolloutPlan) -> Iterator[RenderableType]:
    phases, waves = plan.phases, plan.cohorts.waves
    yield _heading("Course")
    match plan.chosen:
        case OptionKey.MAINTAIN:
            steps = [
                f"measure {plan.cohorts.pilot.name}, enrol nobody, {format_duration(phases.validate_for)}",
                "review",
            ]
        case OptionKey.REDESIGN:
            longest = max((phases.pilot, *(wave.bake for wave in waves)))
            names = ", ".join(one.name for one in (plan.cohorts.pilot, *waves))
            steps = [f"everybody at once ({names}) {format_duration(longest)}"]
        case _:
            steps = [f"pilot {format_duration(phases.pilot)}", f"validate {format_duration(phases.validate_for)}"]
            steps += [f"{wave.name} {format_duration(wave.bake)}" for wave in waves]
    yield _line(" → ".join(["prepare", *steps, "close"]))
    yield _line(f"Baselines over {format_duration(phases.baseline_window)} before anybody is enrolled")
    watchdog = format_duration(phases.watchdog)
    yield _line(f"Looked at every {format_duration(phases.cadence)}; holds when the watch is silent for {watchdog}")
    first, every, grace = map(format_duration, (plan.reviews.first, plan.reviews.every, plan.reviews.grace))
    who = _roles(plan.reviews.roles)
    yield _line(f"Review by {who} after {first}, then every {every}; missed {grace} after it is due, which holds")
    for one in plan.freeze_windows:
        yield _line(f"Frozen from {one.start.isoformat()} until {one.end.isoformat()}: {one.name}")


def _stops(plan: RolloutPlan) -> Iterator[RenderableType]:
    yield _heading("Stop conditions")
    for one in plan.stop_conditions:
        if one.metric is None:
            yield _line(f"- {one.condition}: people call it")
        else:
            yield _line(f"- {one.condition}: by itself, unless {CATALOGUE[one.metric].title} is {one.unless}")
    fate = plan.on_automatic_stop
    yield _line(f"Then finished cohorts: {fate.finished}, current: {fate.current}, pending: {fate.pending}")
