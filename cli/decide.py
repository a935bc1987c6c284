"""approve, reject, pause, resume, override, review, stop, confirm, acknowledge: what people decide.

An identity is claimed, not proven, in this release: whoever reaches Temporal can name any.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say
from cli.rollouts import Name
from models.base import short
from models.command import Choice, Verb
from models.log import Outcome, Receipt
from models.metric import MetricName
from models.plan import Fate, StopResolution

Reason = Annotated[str, typer.Option("-m", "--reason", help="Why; it stays in the decision log.")]
As = Annotated[str, typer.Option("--as", envvar="ROLLOUTS_IDENTITY", help="Who you are: an owner's identity.")]


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
    app.command(epilog=f"Example: rollouts confirm my-plan --role finance_owner {who}")(confirm)
    app.command(epilog=f"Example: rollouts acknowledge my-plan {who}")(acknowledge)


@command
async def approve(
    name: Name,
    who: As,
    reason: Reason,
    gate: Annotated[str | None, typer.Option(help="The gate; default: the one that is open.")] = None,
    evidence: Annotated[str | None, typer.Option(help="Digest of the evidence; default: what the gate shows.")] = None,
    conflict: Annotated[str | None, typer.Option(help="A conflict of interest you declare.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Approve the open gate, on the evidence it shows."""
    return await _decide(home, name, Choice.APPROVE, who, reason, gate, evidence, conflict, output)


@command
async def reject(
    name: Name,
    who: As,
    reason: Reason,
    gate: Annotated[str | None, typer.Option(help="The gate; default: the one that is open.")] = None,
    evidence: Annotated[str | None, typer.Option(help="Digest of the evidence; default: what the gate shows.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Reject the open gate; the rollout pauses until somebody resumes or stops it."""
    return await _decide(home, name, Choice.REJECT, who, reason, gate, evidence, None, output)


async def _decide(
    home: Path,
    name: str,
    choice: Choice,
    who: str,
    reason: str,
    gate: str | None,
    evidence: str | None,
    conflict: str | None,
    output: Format,
) -> int:
    from cli.gateway import Gateway

    gateway = await Gateway.open(Place(home))
    view = await gateway.status(name)
    if view.gate is None and (gate is None or evidence is None):
        raise CliError(f"No gate of {name} is open. {view.sentence}", Exit.REFUSED)
    gate = gate or (view.gate.key if view.gate else "")
    evidence = evidence or (view.gate.digest if view.gate else "")
    if view.gate and view.gate.digest.startswith(f"sha256:{evidence}"):
        evidence = view.gate.digest
    say(f"{choice.value} {gate} on evidence {short(evidence)} of plan {short(view.plan_digest)}, as {who} (claimed)")
    fields: dict[str, Any] = {
        "gate": gate,
        "choice": choice,
        "plan_digest": view.plan_digest,
        "evidence_digest": evidence,
        "declared_conflict": conflict,
    }
    receipt = await gateway.send(name, Verb.DECIDE, who, reason, **fields)
    return answer(receipt, output)


def answer(receipt: Receipt, output: Format) -> int:
    """Print what came of a request, and its exit code."""
    if output is Format.JSON:
        emit_json("receipt", receipt.model_dump(mode="json"))
    else:
        where = f" (entry {receipt.sequence})" if receipt.sequence else ""
        say(f"{receipt.outcome.value}: {receipt.message}{where}")
    return Exit.REFUSED if receipt.outcome is Outcome.REFUSED else Exit.OK


async def _ask(home: Path, name: str, verb: Verb, who: str, reason: str, output: Format, **fields: Any) -> int:
    from cli.gateway import Gateway

    gateway = await Gateway.open(Place(home))
    return answer(await gateway.send(name, verb, who, reason, **fields), output)


@command
async def pause(
    name: Name, who: As, reason: Reason, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Pause: the phase clock stands still until a named person resumes. Sent as a signal, so never lost."""
    return await _ask(home, name, Verb.PAUSE, who, reason, output)


@command
async def resume(
    name: Name, who: As, reason: Reason, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Resume after a pause; fresh evidence is read first, and refuses it if the breach stands."""
    return await _ask(home, name, Verb.RESUME, who, reason, output)


@command
async def override(
    name: Name,
    metric: Annotated[MetricName, typer.Option(help="The metric to let be.")],
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Programme time it ends (UTC).")
    ],
    who: As,
    reason: Reason,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Agree to let a metric be until a date; it takes effect once the plan's rule is met."""
    return await _ask(home, name, Verb.OVERRIDE, who, reason, output, metric=metric, until=until.replace(tzinfo=UTC))


@command
async def review(
    name: Name, who: As, reason: Reason, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> int:
    """Record that a review checkpoint was held; the reason says what came of it."""
    return await _ask(home, name, Verb.REVIEW, who, reason, output)


@command
async def stop(
    name: Name,
    who: As,
    reason: Reason,
    finished: Annotated[Fate, typer.Option(help="Cohorts that are through.")] = Fate.KEEP,
    current: Annotated[Fate, typer.Option(help="The cohort under way.")] = Fate.WITHDRAW,
    pending: Annotated[Fate, typer.Option(help="Cohorts not begun: keep them for a next cycle, or not.")] = Fate.KEEP,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Stop the rollout, saying what becomes of each cohort."""
    resolution = StopResolution(finished=finished, current=current, pending=pending)
    return await _ask(home, name, Verb.STOP, who, reason, output, resolution=resolution)


@command
async def confirm(
    name: Name,
    role: Annotated[str, typer.Option(help="The role the plan gives you.")],
    who: As,
    reason: Reason = "I own this",
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Confirm that you own the role the plan gives you."""
    return await _ask(home, name, Verb.CONFIRM_OWNERSHIP, who, reason, output, role=role)


@command
async def acknowledge(
    name: Name,
    who: As,
    reason: Reason = "noted",
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Say that you have taken note; it changes nothing but the record."""
    return await _ask(home, name, Verb.ACKNOWLEDGE, who, reason, output)
