"""The live tree: where a rollout stands, cohort by cohort, who is awaited since when, and what happens next."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from models.base import short
from models.evidence import MetricAssessment, Verdict
from models.metric import CATALOGUE
from models.rollout import CohortView, Phase, RolloutView, Status

ICON = {
    Status.RUNNING: "◌",
    Status.HOLDING: "◷",
    Status.PAUSED: "॥",
    Status.AWAITING_APPROVAL: "◷",
    Status.FROZEN: "❄",
    Status.STOPPING: "✖",
    Status.STOPPED: "✖",
    Status.COMPLETED: "✔",
}
STYLE = {Status.COMPLETED: "green", Status.PAUSED: "red", Status.STOPPED: "red", Status.HOLDING: "yellow"}
MARK = {Verdict.MET: "✔", Verdict.NOT_MET: "✖", Verdict.CANNOT_TELL: "?", Verdict.NO_EVIDENCE: "•"}
VERDICT_STYLE = {
    Verdict.MET: "green",
    Verdict.NOT_MET: "red",
    Verdict.CANNOT_TELL: "yellow",
    Verdict.NO_EVIDENCE: "dim",
}


def render(view: RolloutView) -> RenderableType:
    """One screen: header, phases with their cohorts, who must act, what comes next."""
    header = [
        _line("Change", f"{view.title}   option {view.option}   plan {short(view.plan_digest)}"),
        _line("Status", f"{ICON[view.status]} {view.status.value}", STYLE.get(view.status, "bold")),
        _line("", view.sentence),
        _line("Programme", f"{view.programme_now:%Y-%m-%d %H:%M}{_speed(view.speed)}, since {_age(view)}"),
        *(_line("Waiting for", _awaited(one.what, one.who, one.since, one.due)) for one in view.awaited),
        _line("Next", view.next),
    ]
    return Group(*header, _phases(view))


def plain(view: RolloutView) -> str:
    """The same as one line, for logs and terminals that cannot redraw."""
    where = view.phase.value if view.wave is None else f"{view.phase.value} wave {view.wave}/{view.waves}"
    return f"{view.programme_now:%Y-%m-%d} {ICON[view.status]} {view.status.value} · {where} · {view.sentence}"


def _line(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<12}", "bold"), (text, style))


def _speed(speed: float) -> str:
    return "" if speed == 1 else f" ({speed:g} times real time)"


def _age(view: RolloutView) -> str:
    return f"{view.since:%Y-%m-%d} ({span(view.programme_now - view.since)})"


def span(time: timedelta) -> str:
    """A length of time in its two largest units."""
    minutes = max(0, int(time.total_seconds() // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d{hours}h" if hours else f"{days}d"
    return f"{hours}h{minutes}m" if hours else f"{minutes}m"


def _awaited(what: str, who: tuple[str, ...], since: datetime, due: datetime | None) -> str:
    until = f", due {due:%Y-%m-%d %H:%M}" if due else ""
    return f"{' or '.join(who) or 'nobody'} to {what}, since {since:%Y-%m-%d}{until}"


def _phases(view: RolloutView) -> Tree:
    tree = Tree(Text(view.rollout_id, "bold"))
    for record in view.history:
        left = record.left_at
        here = not left and view.status not in (Status.COMPLETED, Status.STOPPED)
        icon = ICON[view.status] if here else "✔"
        name = record.phase.value if record.wave is None else f"wave {record.wave}/{view.waves}"
        until = left or view.programme_now
        label = f"{icon} {name:<12} {span(until - record.entered_at)}{_served(view) if here else ''}"
        node = tree.add(Text(label, "bold" if here else ""))
        if here:
            _fill(node, view)
    return tree


def _served(view: RolloutView) -> str:
    clock = view.phase_clock
    if clock is None:
        return ""
    served = clock.served
    if clock.running_since is not None:
        served += view.programme_now - clock.running_since
    return f"   served {span(min(served, clock.required))} of {span(clock.required)}"


def _fill(node: Tree, view: RolloutView) -> None:
    if view.gate:
        node.add(
            Text(
                f"gate {view.gate.key}: {len(view.gate.approvals)} approved, rule {view.gate_rule}, "
                f"evidence {short(view.gate.digest)}, due {view.gate.due_at:%Y-%m-%d}"
            )
        )
    if view.pause:
        drivers = ", ".join(view.pause.partners[:5]) or "none named"
        node.add(Text(f"paused: who must act {', '.join(view.pause.must_act)}; partners {drivers}", "red"))
    for hold in view.holds:
        node.add(Text(f"hold {hold.kind.value}: {hold.detail}", "yellow"))
    for cohort in view.cohorts:
        node.add(_cohort(cohort, view))
    if view.phase is Phase.PREPARE and view.baselines:
        known = sum(one.value is not None for one in view.baselines)
        node.add(Text(f"baselines frozen: {known} of {len(view.baselines)} have a value"))


def _cohort(cohort: CohortView, view: RolloutView) -> Text:
    text = Text(f"{cohort.name:<14} {cohort.partners:>4} partners  {cohort.state:<13}")
    items = [one for one in (view.assessment.items if view.assessment else ()) if one.cohort == cohort.name]
    for item in items:
        text.append(f"  {_metric(item)}", VERDICT_STYLE[item.verdict])
    return text


def _metric(item: MetricAssessment) -> str:
    value = "-" if item.value is None else f"{item.value:,.1f}"
    agreed = " ".join(item.thresholds)
    return f"{MARK[item.verdict]} {CATALOGUE[item.metric].title} {value} ({agreed})"
