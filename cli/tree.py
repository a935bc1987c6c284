"""The live tree: where a rollout stands, cohort by cohort, who is awaited since when, and what happens next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from cli.output import clean, one_line
from models.base import short
from models.evidence import MetricAssessment, Verdict
from models.log import EntryKind, LogEntry
from models.metric import CATALOGUE, worded
from models.plan import OptionKey
from models.quality import BARELY, DOUBT
from models.rollout import TERMINAL, CohortView, Phase, PhaseRecord, RolloutView, Status

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
STYLE = {
    Status.COMPLETED: "green",
    Status.PAUSED: "bold red",
    Status.STOPPING: "bold red",
    Status.STOPPED: "bold red",
    Status.HOLDING: "bold yellow",
    Status.AWAITING_APPROVAL: "bold yellow",
}
MARK = {Verdict.MET: "✔", Verdict.NOT_MET: "✖", Verdict.CANNOT_TELL: "?", Verdict.NO_EVIDENCE: "•"}
VERDICT_STYLE = {
    Verdict.MET: "green",
    Verdict.NOT_MET: "red",
    Verdict.CANNOT_TELL: "yellow",
    Verdict.NO_EVIDENCE: "yellow",
}
PENDING = "·"
NAMED = 5
"""Partners and leads named in a line; `rollouts decisions` names all."""

_COURSE = {
    OptionKey.MAINTAIN: (Phase.PREPARE, Phase.VALIDATE, Phase.CLOSE),
    OptionKey.STAGED: (Phase.PREPARE, Phase.PILOT, Phase.VALIDATE, Phase.SCALE, Phase.CLOSE),
    OptionKey.REDESIGN: (Phase.PREPARE, Phase.SCALE, Phase.CLOSE),
}


def render(view: RolloutView, entries: Sequence[LogEntry] = (), ahead: Sequence[str] = ()) -> RenderableType:
    """One screen: header, phases with their cohorts, who must act, what comes next.

    `entries` are the newest of the decision log; they tell on whose approval earlier phases were left. `ahead` says
    what is about to breach.
    """
    return Group(*_header(view, ahead), _phases(view, entries))


def plain(view: RolloutView) -> str:
    """The same as one line, for logs and outputs that cannot redraw."""
    parts = [f"{ICON[view.status]} {view.status.value}", where(view), worded(view.sentence)]
    parts += [f"awaited: {', '.join(one.who) or 'nobody'} to {one.what}" for one in view.awaited]
    if view.assessment and view.status not in TERMINAL:
        parts.append(tally([item.verdict for item in view.assessment.items]))
    return f"{moment(view.programme_now)} {one_line(' · '.join(part for part in parts if part))}"


def changed(view: RolloutView) -> tuple[object, ...]:
    """What makes a line worth printing anew: everything in it but the clock."""
    verdicts = tuple(item.verdict for item in view.assessment.items) if view.assessment else ()
    return (view.status, where(view), view.sentence, view.awaited, verdicts, view.cohorts)


def where(view: RolloutView) -> str:
    """Phase and wave."""
    return _name(view, PhaseRecord(phase=view.phase, wave=view.wave, entered_at=view.since))


def moment(at: datetime) -> str:
    """A moment to the minute."""
    return f"{at:%Y-%m-%d %H:%M}"


def span(time: timedelta) -> str:
    """A length of time in its two largest units."""
    minutes = max(0, int(time.total_seconds() // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m"


def tally(verdicts: Sequence[Verdict]) -> str:
    """How many of each verdict: `✔ 4  ✖ 1`."""
    counts = ((MARK[one], verdicts.count(one)) for one in Verdict)
    return "  ".join(f"{mark} {count}" for mark, count in counts if count)


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "") or "none named"


def metric_line(item: MetricAssessment) -> str:
    """One metric of one cohort: the value against what was agreed, and every reason where it is not met."""
    spec = CATALOGUE[item.metric]
    head = f"{MARK[item.verdict]} {spec.title:<27}"
    if item.verdict is not Verdict.MET:
        return f"{head} {item.verdict.value}: {worded('; '.join(item.reasons))}{_breaches(item)}"
    value = "-" if item.value is None else f"{item.value:,.1f}"
    agreed = " and ".join(item.thresholds)
    baseline = "" if item.baseline is None else f"  baseline {item.baseline:,.1f}"
    doubts = "; ".join(reason for reason in item.reasons if reason.startswith((DOUBT, BARELY)))
    warning = f"  ⚠ {doubts or 'in the warning band'}" if item.warning else ""
    beyond = "  ⚠ beyond, tolerated" if item.beyond_threshold else ""
    change = f"  {item.reasons[0]}" if item.by_change and item.reasons else ""
    return f"{head} {value:>9} {spec.unit}  agreed {agreed}{baseline}{change}{warning}{beyond}{_breaches(item)}"


def _breaches(item: MetricAssessment) -> str:
    found = item.breaches
    return f"  (beyond {found.in_a_row} in a row, {found.in_all} in all)" if found.in_all else ""


def _header(view: RolloutView, ahead: Sequence[str]) -> Iterator[Text]:
    age = span(view.programme_now - view.since)
    speed = "" if view.speed == 1 else f"   {view.speed:g} times real time"
    yield _line("Change", f"{view.title}   option {view.option}   plan {short(view.plan_digest)}")
    yield _line("Status", f"{ICON[view.status]} {view.status.value} since {moment(view.since)} ({age})", _style(view))
    yield _line("", worded(view.sentence))
    yield _line("Clock", f"{moment(view.programme_now)} programme time{speed}")
    for told in ahead:
        yield _line("Ahead", told, "bold yellow")
    for awaited in _awaited(view):
        yield _line("Waiting", awaited, "bold")
    if view.review_due_at and view.status not in TERMINAL:
        late = view.programme_now - view.review_due_at
        told = f"overdue by {span(late)}" if late > timedelta(0) else f"in {span(-late)}"
        yield _line("Review", f"{moment(view.review_due_at)} ({told})")
    for one in view.unjudged:
        told = f"the pause of {moment(one.since)}: rollouts judge-pause {view.rollout_id} --pause {one.sequence}"
        yield _line("To judge", f"{told} --verdict right|false-alarm ({', '.join(one.roles)})")
    yield _line("Decisions", _decisions(view))
    yield _line("Next", view.next)


def _decisions(view: RolloutView) -> str:
    """Whether they are signed, and who decides in whose place."""
    told = [view.decisions.value]
    told += [f"{one.name} ({one.identity}) acts for {one.owner} until {moment(one.until)}" for one in view.delegations]
    return "; ".join(told)


def _style(view: RolloutView) -> str:
    return STYLE.get(view.status, "bold")


def _line(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<9}" if len(label) < 9 else f"{label} ", "bold"), (clean(text), style))


def _awaited(view: RolloutView) -> Iterator[str]:
    for one in view.awaited:
        due = f", due {moment(one.due)}" if one.due else ""
        waited = span(view.programme_now - one.since)
        yield f"{', '.join(one.who) or 'nobody'} to {one.what}, since {moment(one.since)} ({waited}){due}"


def _phases(view: RolloutView, entries: Sequence[LogEntry]) -> Tree:
    tree = Tree(Text(view.rollout_id, "bold"))
    why = {one.programme_at: one.message.partition(": ")[2] for one in entries if one.kind is EntryKind.PHASE}
    passed = _course_so_far(view)
    for record, following in zip(passed, (*view.history[1:], None), strict=False):
        if record.left_at is None and view.status not in TERMINAL:
            _here(tree, view, record)
        elif view.status is Status.STOPPED and record is passed[-1]:
            _passed(tree, view, record, ICON[Status.STOPPED], _why_stopped(entries))
        else:
            _passed(tree, view, record, ICON[Status.COMPLETED], why.get(following.entered_at, "") if following else "")
    for record in _ahead(view):
        node = tree.add(Text(f"{PENDING} {_name(view, record)}", "dim"))
        _add_cohorts(node, view, record)
    return tree


def _course_so_far(view: RolloutView) -> tuple[PhaseRecord, ...]:
    """The phases entered; of a stopped rollout without the close, so that they end where it was stopped."""
    if view.status is Status.STOPPED and len(view.history) > 1 and view.history[-1].phase is Phase.CLOSE:
        return view.history[:-1]
    return view.history


def _why_stopped(entries: Sequence[LogEntry]) -> str:
    return next((one.message for one in reversed(entries) if one.kind is EntryKind.STOP), "stopped")


def _passed(tree: Tree, view: RolloutView, record: PhaseRecord, icon: str, why: str) -> None:
    lasted = span(record.left_at - record.entered_at) if record.left_at else ""
    label = f"{icon} {_name(view, record):<15} {lasted:<9} {why}"
    node = tree.add(Text(clean(label).rstrip()))
    _add_cohorts(node, view, record)


def _here(tree: Tree, view: RolloutView, record: PhaseRecord) -> None:
    lasted = span(view.programme_now - record.entered_at)
    label = f"{ICON[view.status]} {_name(view, record):<15} {lasted:<9} {_served(view)}"
    node = tree.add(Text(label.rstrip(), "bold"))
    _add_gate(node, view)
    if view.pause:
        node.add(Text(clean(f"paused: {worded(view.pause.detail)}"), "red"))
        node.add(Text(clean(f"who may resume: {', '.join(view.pause.must_act)}"), "red"))
        if view.pause.partners:
            leads = f"; leads {some(view.pause.leads)}" if view.pause.leads else ""
            node.add(Text(clean(f"driven by partners {some(view.pause.partners)}{leads}"), "red"))
    for hold in view.holds:
        node.add(Text(clean(f"holding since {moment(hold.since)}: {hold.kind.value}: {worded(hold.detail)}"), "yellow"))
    for override in view.overrides:
        told = f"override: {CATALOGUE[override.metric].title} let be until {moment(override.until)}"
        node.add(Text(clean(f"{told} by {', '.join(override.by)}: {override.reason}"), "yellow"))
    if view.phase is Phase.PREPARE and view.baselines:
        known = sum(one.value is not None for one in view.baselines)
        node.add(Text(f"baselines frozen: {known} of {len(view.baselines)} have a value"))
    _add_cohorts(node, view, record)


def _add_gate(node: Tree, view: RolloutView) -> None:
    gate = view.gate
    if gate is None:
        return
    by = f" by {', '.join(f'{one.identity} ({one.role})' for one in gate.approvals)}" if gate.approvals else ""
    due = f"{'overdue since' if gate.overdue else 'due'} {moment(gate.due_at)}"
    told = f"gate {gate.key}: approved {len(gate.approvals)} of {view.gate_rule or 'nobody'}{by}, {due}"
    node.add(Text(clean(f"{told}, evidence {short(gate.digest)}"), "yellow"))


def _served(view: RolloutView) -> str:
    clock = view.phase_clock
    if clock is None:
        return ""
    served = clock.served
    if clock.running_since is not None:
        served += view.programme_now - clock.running_since
    stands = ", clock stands still" if clock.running_since is None else ""
    return f"served {span(min(served, clock.required))} of {span(clock.required)}{stands}"


def _name(view: RolloutView, record: PhaseRecord) -> str:
    """Under option C everybody is one wave, which needs no number."""
    if record.wave is None or view.option == OptionKey.REDESIGN:
        return record.phase.value
    return f"{record.phase.value} wave {record.wave}/{view.waves}"


def _ahead(view: RolloutView) -> Iterator[PhaseRecord]:
    """The phases and waves that are still to come."""
    if view.status in TERMINAL or view.status is Status.STOPPING:
        return
    course = _COURSE[OptionKey(view.option)]
    for phase in course[course.index(view.phase) :]:
        waves: Sequence[int | None] = (None,)
        if phase is Phase.SCALE:
            waves = (1,) if view.option == OptionKey.REDESIGN else tuple(range(1, view.waves + 1))
        for wave in waves:
            if phase is not view.phase or (wave or 0) > (view.wave or 0):
                yield PhaseRecord(phase=phase, wave=wave, entered_at=view.programme_now)


def _add_cohorts(node: Tree, view: RolloutView, record: PhaseRecord) -> None:
    for cohort in _cohorts_of(view, record):
        _add_cohort(node, view, cohort)


def _cohorts_of(view: RolloutView, record: PhaseRecord) -> tuple[CohortView, ...]:
    """The cohorts that a phase or wave is about. They come as pilot, control if there is one, then the waves."""
    pilot, control = view.cohorts[:1], tuple(one for one in view.cohorts[1:2] if one.state == "comparison")
    waves = view.cohorts[1 + len(control) :]
    match OptionKey(view.option), record.phase:
        case OptionKey.MAINTAIN, Phase.VALIDATE:
            return (*pilot, *control)
        case OptionKey.REDESIGN, Phase.SCALE:
            return (*pilot, *waves, *control)
        case OptionKey.STAGED, Phase.PILOT:
            return (*pilot, *control)
        case OptionKey.STAGED, Phase.SCALE if record.wave:
            return waves[record.wave - 1 : record.wave]
        case _:
            return ()


def _add_cohort(node: Tree, view: RolloutView, cohort: CohortView) -> None:
    """A cohort with its tally; metric by metric where one is not met, and for the newest that is judged."""
    items = [one for one in (view.assessment.items if view.assessment else ()) if one.cohort == cohort.name]
    counted = tally([one.verdict for one in items])
    width = max(len(one.name) for one in view.cohorts)
    noun = "partner" if cohort.partners == 1 else "partners"
    label = f"{cohort.name:<{width}} {cohort.partners:>4} {noun:<8}  {cohort.state:<12}  {counted}"
    style = "" if items or cohort.state == "enrolled" else "dim"
    below = node.add(Text(clean(label).rstrip(), style))
    newest = view.assessment.items[-1].cohort if view.assessment and view.assessment.items else None
    if cohort.name == newest or any(one.verdict is not Verdict.MET for one in items):
        for item in items:
            below.add(Text(clean(metric_line(item)), VERDICT_STYLE[item.verdict]))
