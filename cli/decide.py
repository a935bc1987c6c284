"""approve, reject, pause, resume, override, review, judge-pause, stop, confirm, acknowledge: what people decide.

All of it goes through the service, which signs it: as who has signed in, or as whom `--as` claims to be, where the
service is its own issuer and believes that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.asking import way_of
from cli.home import DEFAULT_HOME, Home
from cli.output import CliError, Exit, Format, Output, command, complain, emit_json, say, show
from cli.rollouts import DATES, Name
from models.base import short
from models.command import Choice, PauseVerdict, Verb
from models.log import Outcome, Receipt
from models.metric import MetricName
from models.plan import Fate, StopResolution

if TYPE_CHECKING:
    from models.rollout import RolloutView

Reason = Annotated[str, typer.Option("-m", "--reason", help="Why; it stays in the decision log.")]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        envvar="ROLLOUTS_IDENTITY",
        help="Who you claim to be, where the service believes it, as `rollouts up` does; default: who has signed in.",
    ),
]
Gate = Annotated[str | None, typer.Option(help="The gate; default: the one that is open.")]
Evidence = Annotated[
    str | None, typer.Option(help="Digest of the evidence you read, or its first 8 digits; default: the gate's.")
]

ENOUGH_DIGITS = 8
"""Digits of a digest that stand for it, as every output of ours shows them."""


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    who = "--as fin@example.com"
    app.command(epilog=f'Example: rollouts approve my-plan {who} -m "margin holds"')(approve)
    app.command(epilog=f'Example: rollouts reject my-plan {who} -m "too early"')(reject)
    app.command(epilog=f'Example: rollouts pause my-plan {who} -m "wrong price list"')(pause)
    app.command(epilog=f'Example: rollouts resume my-plan {who} -m "staffing is back"')(resume)
    app.command(
        epilog=f'Example: rollouts override my-plan --metric mdf_spend --until 2026-03-01 {who} -m "trade fair"'
    )(override)
    app.command(epilog=f'Example: rollouts review my-plan {who} -m "no change"')(review)
    app.command(epilog=f'Example: rollouts stop my-plan --current withdraw {who} -m "law changed"')(stop)
    app.command(epilog=f"Example: rollouts confirm my-plan {who}")(confirm)
    app.command(
        epilog=f'Example: rollouts delegate my-plan dee@example.com --name Dee --until 2026-03-01 {who} -m "leave"'
    )(delegate)
    app.command(epilog=f"Example: rollouts acknowledge my-plan {who}")(acknowledge)
    app.command(
        epilog=f'Example: rollouts judge-pause my-plan --pause 41 --verdict false-alarm {who} -m "a holiday, no delay"'
    )(judge_pause)


@command
async def approve(
    name: Name,
    reason: Reason,
    who: As = None,
    gate: Gate = None,
    evidence: Evidence = None,
    conflict: Annotated[str | None, typer.Option(help="A conflict of interest you declare.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Approve the open gate, on the evidence it shows; exit code 6 if that is refused."""
    return await _decide(home, name, Choice.APPROVE, who, reason, gate, evidence, conflict, output)


@command
async def reject(
    name: Name,
    reason: Reason,
    who: As = None,
    gate: Gate = None,
    evidence: Evidence = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Reject the open gate; the rollout pauses until somebody resumes or stops it."""
    return await _decide(home, name, Choice.REJECT, who, reason, gate, evidence, None, output)


async def _decide(
    home: Path,
    name: str,
    choice: Choice,
    who: str | None,
    reason: str,
    gate: str | None,
    evidence: str | None,
    conflict: str | None,
    output: Format,
) -> int:
    """Send a decision at a gate. Where none is open it is sent all the same: the refusal belongs in the log."""
    way = await way_of(home, who)
    view = await way.status(name)
    meant = gate or (view.gate.key if view.gate else "none")
    digest = _digest(view, evidence)
    say(
        f"{choice.value} {meant} on evidence {short(digest)} of plan {short(view.plan_digest)}, as {way.identity} "
        f"({way.told})"
    )
    fields: dict[str, Any] = {
        "gate": meant,
        "choice": choice,
        "plan_digest": view.plan_digest,
        "evidence_digest": digest,
        "declared_conflict": conflict,
    }
    return answer(await way.send(name, Verb.DECIDE, reason, **fields), output)


def _digest(view: RolloutView, given: str | None) -> str:
    """The whole digest that is meant; what is not the gate's is sent as it is, to be refused as stale.

    Raises:
        CliError: too few digits to stand for a digest.
    """
    shown = view.gate.digest if view.gate else "none"
    if given is None:
        return shown
    if len(given.removeprefix("sha256:")) < ENOUGH_DIGITS:
        raise CliError(
            f"--evidence is {given!r}; at least {ENOUGH_DIGITS} digits of a digest are needed.", Exit.BAD_INPUT
        )
    return shown if shown.startswith(f"sha256:{given.removeprefix('sha256:')}") else given


def answer(receipt: Receipt, output: Format) -> int:
    """Print what came of a request, and its exit code."""
    refused = receipt.outcome is Outcome.REFUSED
    if output is Format.JSON:
        emit_json("receipt", receipt.model_dump(mode="json"))
    else:
        where = f" (entry {receipt.sequence})" if receipt.sequence else ""
        (complain if refused else show)(f"{receipt.outcome.value}: {receipt.message}{where}")
    return Exit.REFUSED if refused else Exit.OK


async def _ask(home: Path, name: str, verb: Verb, who: str | None, reason: str, output: Format, **fields: Any) -> int:
    way = await way_of(home, who)
    return answer(await way.send(name, verb, reason, **fields), output)


@command
async def pause(
    name: Name, reason: Reason, who: As = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Pause: the phase clock stands still until a named person resumes. Never lost, also while no worker runs."""
    return await _ask(home, name, Verb.PAUSE, who, reason, output)


@command
async def resume(
    name: Name, reason: Reason, who: As = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Resume after a pause; fresh evidence is read first, and refuses it if the breach stands."""
    return await _ask(home, name, Verb.RESUME, who, reason, output)


@command
async def override(
    name: Name,
    metric: Annotated[MetricName, typer.Option(help="The metric to let be.")],
    until: Annotated[datetime, typer.Option(formats=DATES, metavar="DATE", help="Programme time it ends (UTC).")],
    reason: Reason,
    who: As = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Agree to let a metric be until a date; it takes effect once the plan's rule is met."""
    return await _ask(home, name, Verb.OVERRIDE, who, reason, output, metric=metric, until=until.replace(tzinfo=UTC))


@command
async def review(
    name: Name, reason: Reason, who: As = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Record that a review checkpoint was held; the reason says what came of it."""
    return await _ask(home, name, Verb.REVIEW, who, reason, output)


@command
async def stop(
    name: Name,
    reason: Reason,
    who: As = None,
    finished: Annotated[Fate, typer.Option(help="Cohorts that are through.")] = Fate.KEEP,
    current: Annotated[Fate, typer.Option(help="The cohort under way.")] = Fate.WITHDRAW,
    pending: Annotated[Fate, typer.Option(help="Cohorts not begun: keep them for a next cycle, or not.")] = Fate.KEEP,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Stop the rollout, saying what becomes of each cohort. Never lost, also while no worker runs."""
    resolution = StopResolution(finished=finished, current=current, pending=pending)
    return await _ask(home, name, Verb.STOP, who, reason, output, resolution=resolution)


@command
async def confirm(
    name: Name,
    who: As = None,
    role: Annotated[str | None, typer.Option(help="The role you confirm; default: the one the plan gives you.")] = None,
    reason: Reason = "I own this",
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Confirm that you own the role the plan gives you."""
    way = await way_of(home, who)
    if role is None:
        # Somebody whom the plan does not name is refused by the rollout, which writes it down.
        role = await way.role(name) or "none"
    return answer(await way.send(name, Verb.CONFIRM_OWNERSHIP, reason, role=role), output)


@command
async def delegate(
    name: Name,
    to: Annotated[str, typer.Argument(metavar="WHOM", help="Who acts in your place: an e-mail address.")],
    whose: Annotated[str, typer.Option("--name", help="Their name.")],
    reason: Reason,
    who: As = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=DATES, metavar="DATE", help="Programme time it ends (UTC); without it, it is taken back."),
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Where they sign in; signed decisions need it.")] = None,
    subject: Annotated[str | None, typer.Option(help="Who they are there.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Let somebody act in your place until a date, or take that back."""
    fields: dict[str, Any] = {"identity": to, "name": whose, "issuer": issuer, "subject": subject}
    ends = until.replace(tzinfo=UTC) if until else None
    way = await way_of(home, who)
    return answer(await way.send(name, Verb.DELEGATE, reason, **fields, until=ends), output)


@command
async def judge_pause(
    name: Name,
    pause: Annotated[
        int, typer.Option("--pause", min=1, metavar="N", help="The pause: the number of its entry in the log.")
    ],
    verdict: Annotated[PauseVerdict, typer.Option(help="What you say of it in hindsight.")],
    reason: Reason,
    who: As = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Say of a pause whether it was right or a false alarm: who had to act on it may, until the rollout is over."""
    return await _ask(home, name, Verb.JUDGE_PAUSE, who, reason, output, pause=pause, verdict=verdict)


@command
async def acknowledge(
    name: Name,
    who: As = None,
    reason: Reason = "noted",
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Say that you have taken note; it changes nothing but the record."""
    return await _ask(home, name, Verb.ACKNOWLEDGE, who, reason, output)
