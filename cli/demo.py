"""demo: a whole rollout on real embedded servers, with the owners played, from ownership to the last wave."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.home import Place
from cli.output import CliError, Exit, clean, command, out, say
from cli.players import Act, Players
from console.errors import GatewayError
from models.log import Outcome, Receipt
from models.plan import RolloutPlan
from models.rollout import TERMINAL, Phase, RolloutView, Status

if TYPE_CHECKING:
    from console.gateway import Gateway

PLAN = Path(__file__).parent.parent / "examples" / "plans" / "gold-tier-rebate.yaml"
WORLD: dict[str, Any] = {"seed": 7, "start": date(2025, 1, 1), "months": 15, "partners": 240}
BEGIN = datetime(2025, 4, 1, tzinfo=UTC)
SLUMP = (datetime(2025, 4, 22, tzinfo=UTC), datetime(2025, 5, 25, tzinfo=UTC))
SPEED = 250_000.0
"""Programme seconds per real second: about three days."""

ASK_EVERY = timedelta(days=9)
"""Programme time between two resumes that are asked for too early, so that refusals can be seen."""

PATIENCE = 150.0
"""Real seconds after which the demonstration gives up."""


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts demo --dir /tmp/rollouts-demo")(demo)


@command
async def demo(
    home: Annotated[
        Path | None, typer.Option("--dir", help="Keep the servers' data here; default: a temporary directory.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers up, also without a terminal.")] = False,
) -> int:
    """Run a plan from ownership confirmation to the last wave on embedded servers, in under two minutes.

    With a terminal the servers stay up until Ctrl-C, so that you can look around.
    """
    from cli.servers import bring_down, bring_up
    from deploy.embedded.account import temporary_directory

    directory = home or temporary_directory("rollouts-demo-")
    place = Place(directory, own=True)
    started = asyncio.get_running_loop().time()
    tell = _teller(started)
    try:
        await bring_up(place, tell)
        plan = _plan()
        await _world(place, plan, tell)
        view = await _run(place, plan, tell)
        await _report(place, plan, view, started)
        if keep or out.is_terminal:
            say("The servers stay up; Ctrl-C ends them.")
            await _told_to_end()
        return Exit.OK
    finally:
        tell("Ending worker and servers ...")
        await bring_down(place)
        if home is None:
            shutil.rmtree(directory, ignore_errors=True)


def _teller(started: float) -> Callable[[str], None]:
    """In a terminal the lines go where the tree is drawn: another console's would tear it apart."""

    def tell(text: str) -> None:
        line = f"[{asyncio.get_running_loop().time() - started:5.1f}s] {text}"
        if out.is_terminal:
            out.print(clean(line), soft_wrap=True)
        else:
            say(line)

    return tell


async def _told_to_end() -> None:
    """Wait for Ctrl-C, which here is how a demonstration ends and nothing wrong."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, told.set)
    await told.wait()


def _plan() -> RolloutPlan:
    from cli.plan import read_plan

    return read_plan(PLAN)


async def _world(place: Place, plan: RolloutPlan, tell: Callable[[str], None]) -> None:
    """A partner world in which the pilot's partners stop following up leads in time for a month."""
    from cli.data import fill
    from store.world_spec import Slump

    slump = Slump(select=plan.cohorts.pilot.select, start=SLUMP[0], end=SLUMP[1], depth=55)
    tell(
        f"Generating {WORLD['partners']} partners and {WORLD['months']} months of facts, "
        "with a lead SLA slump in the pilot ..."
    )
    report = await fill(place.dsn, slumps=(slump,), **WORLD)
    tell(f"{sum(report.rows.values()):,} facts, {report.starts_at:%Y-%m-%d} to {report.ends_at:%Y-%m-%d}.")


async def _run(place: Place, plan: RolloutPlan, tell: Callable[[str], None]) -> RolloutView:
    """Start the rollout, play its owners, and show the tree until it is over."""
    from cli.connect import open_gateway
    from cli.rollouts import follow

    console = place.console()
    if console is not None:
        tell(f"Console: {console[1]}; sign in there as {', '.join(one.identity for one in plan.owners)}.")
    gateway = await open_gateway(place)
    await gateway.start(plan, BEGIN, SPEED)
    tell(f"Started {plan.id} at programme time {BEGIN:%Y-%m-%d}, {SPEED / 86400:.1f} days a second. Web UI: {place.ui}")
    view = await _first_view(gateway, plan.id)
    owners = asyncio.create_task(Owners(gateway, plan, tell).play())
    try:
        view = await follow(gateway, plan.id, view, PATIENCE)
    finally:
        owners.cancel()
        await asyncio.gather(owners, return_exceptions=True)
    return view


async def _first_view(gateway: Gateway, name: str) -> RolloutView:
    """The worker may still be starting."""
    for _ in range(4):
        with contextlib.suppress(GatewayError):
            return await gateway.status(name)
    return await gateway.status(name)


class Owners:
    """Plays the people of the plan: confirms, approves, reviews, and resumes once the numbers have recovered."""

    def __init__(self, gateway: Gateway, plan: RolloutPlan, tell: Callable[[str], None]) -> None:
        self._gateway = gateway
        self._plan = plan
        self._tell = tell
        self._players = Players(plan, ask_every=ASK_EVERY, give_up=None)

    async def play(self) -> None:
        """Act whenever somebody is awaited."""
        while True:
            try:
                view = await self._gateway.status(self._plan.id)
                if view.status in TERMINAL:
                    return
                for act in self._players.acts(view):
                    self._players.heard(act, await self._ask(act))
            except GatewayError as problem:
                self._tell(str(problem))
            await asyncio.sleep(0.4)

    async def _ask(self, act: Act) -> Receipt:
        owner = act.owner
        receipt = await self._gateway.send(self._plan.id, act.verb, owner.identity, act.reason, **act.fields)
        mark = "refused" if receipt.outcome is Outcome.REFUSED else "says"
        self._tell(f"{owner.name} ({owner.role}) {mark}: {act.verb.value}. {receipt.message}"[:200])
        return receipt


async def _report(place: Place, plan: RolloutPlan, view: RolloutView, started: float) -> None:
    """The log, and where to look.

    Raises:
        CliError: the rollout did not complete, or never paused.
    """
    from cli.history import print_log, whole_log

    entries = await whole_log(place, view)
    print_log(entries)
    seconds = asyncio.get_running_loop().time() - started
    if view.phase is not Phase.CLOSE or view.status is not Status.COMPLETED:
        raise CliError(f"The rollout did not complete within {PATIENCE:g} s: {view.sentence}")
    if not any(entry.kind.value == "pause" for entry in entries):
        raise CliError("The rollout never paused, though its pilot's SLA slumped.")
    say(f"Completed in {seconds:.0f} s: {len(entries)} log entries, {view.refused} refusals among them.")
    say(f"Web UI: {place.ui} · history: rollouts history {plan.id} --dir {place.home}")
