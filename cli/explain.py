"""explain: why a rollout does not go on, on which evidence, who can unblock it, and with which command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import Format, Output, command, emit_json, show, table
from cli.rollouts import Name, ahead_words, exit_of, look_ahead
from cli.tree import metric_line, moment, span
from models.base import short
from models.command import Verb
from models.metric import worded
from models.rollout import Awaited, RolloutView, Status

COMMANDS = {
    Verb.DECIDE: "approve, reject",
    Verb.CONFIRM_OWNERSHIP: "confirm",
    **{verb: verb.value for verb in (Verb.PAUSE, Verb.RESUME, Verb.OVERRIDE, Verb.REVIEW, Verb.STOP, Verb.DELEGATE)},
    Verb.ACKNOWLEDGE: "acknowledge",
    Verb.JUDGE_PAUSE: "judge-pause",
}
"""The commands of the verbs that people have at the terminal."""


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts explain gold-tier-rebate --as fin@example.com")(explain)


@command
async def explain(
    name: Name,
    identity: Annotated[
        str | None, typer.Option("--as", envvar="ROLLOUTS_IDENTITY", help="Whose actions to show.")
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Why a rollout does not go on: what blocks it, on which evidence, who can unblock it, and by when.

    `Ahead` tells of a metric that is about to breach: leads that are due soon would tip its limit, if they were missed.

    Exit codes as of `rollouts get`.
    """
    from cli.connect import open_gateway

    gateway = await open_gateway(Place(home))
    view = await gateway.status(name)
    actions = await gateway.allowed_actions(name, identity)
    ahead = await look_ahead(Place(home), name)
    if output is Format.JSON:
        data = view.model_dump(mode="json", include={"status", "sentence", "next", "holds", "pause", "gate", "awaited"})
        evidence = view.assessment.model_dump(mode="json") if view.assessment else None
        emit_json(
            "explanation",
            {
                **data,
                "ahead": [one.model_dump(mode="json") for one in ahead],
                "evidence": evidence,
                "actions": [one.model_dump(mode="json") for one in actions],
            },
        )
        return exit_of(view)
    for line in explanation(view, [ahead_words(one) for one in ahead]):
        show(line)
    show("")
    rows = [
        (COMMANDS[one.verb], "yes" if one.allowed else "no", ", ".join(one.who), one.why_not or one.target or "")
        for one in actions
        if one.verb in COMMANDS
    ]
    table("command", "now", "who may", "why not, or on what", rows=rows)
    return exit_of(view)


def explanation(view: RolloutView, ahead: Sequence[str] = ()) -> Iterator[str]:
    """Sentences that say what stands in the way and what would open it; `ahead` says what is about to breach."""
    yield worded(view.sentence)
    yield f"Next: {view.next}"
    yield from (f"Ahead: {told}" for told in ahead)
    # A holding rollout's own sentence names its holds already.
    for hold in view.holds if view.status is not Status.HOLDING else ():
        yield f"Held since {moment(hold.since)}: {hold.kind.value}: {worded(hold.detail)}"
    for one in view.awaited:
        due = f", due {moment(one.due)}" if one.due else ""
        waited = span(view.programme_now - one.since)
        yield f"Awaited to {one.what}: {', '.join(one.who) or 'nobody'}, since {moment(one.since)} ({waited}){due}"
        yield from (f"    {command}" for command in _how(view.rollout_id, one))
    if view.assessment:
        yield f"Evidence {short(view.assessment.digest)} as of {moment(view.assessment.as_of)}:"
        width = max((len(item.cohort) for item in view.assessment.items), default=0)
        for item in view.assessment.items:
            yield f"  {item.cohort:<{width}}  {metric_line(item)}"


def _how(name: str, awaited: Awaited) -> list[str]:
    """The commands by which those who are awaited would act: each of them to confirm, one of them otherwise."""
    match awaited.what.partition(" ")[0]:
        case "confirm":
            return [f"rollouts confirm {name} --as {who}" for who in awaited.who]
        case "decide":
            words = "approve"
        case "resume":
            words = "resume"
        case "agree":
            return [_agreeing(name, awaited.what, who) for who in awaited.who]
        case _:
            words = "review"
    return [f'rollouts {words} {name} --as {who} -m "why"' for who in awaited.who[:1]]


def _agreeing(name: str, what: str, who: str) -> str:
    """The command by which somebody agrees to the very stop or override that was asked for."""
    verb, _, key = what.removeprefix("agree to ").partition(" ")
    if verb == Verb.STOP:
        options = " ".join(f"--{part}" for part in key.split(", "))
    else:
        metric, _, until = key.partition(" until ")
        options = f"--metric {metric} --until {until[:19]}"
    return f'rollouts {verb} {name} {options} --as {who} -m "why"'
