"""demo: a whole rollout on real embedded servers, with the owners played, or the gates left to whoever looks on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli.asking import Claimed, service_of
from cli.home import Place
from cli.output import CliError, Exit, clean, command, out, say
from cli.players import Act, Players
from console.errors import GatewayError
from models.base import many
from models.command import Verb
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

ORDINARY = 20.0
"""Real seconds within which the servers are up and filled: on two idle cores it takes half as long."""

SLOWEST = 3.0
"""So many times longer are days made at most."""

PATIENCE = 150.0
"""Real seconds after which the demonstration gives up, where days are as long as on an ordinary machine."""

BY_HAND_SPEED = 43_200.0
"""The same where people approve: half a day, so that the evidence is not weeks old when they have read it."""

BY_HAND_MONTHS = 30
"""Months of facts then: enough to read for nearly half an hour."""


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts demo --dir /tmp/rollouts-demo")(demo)


@command
async def demo(
    home: Annotated[
        Path | None, typer.Option("--dir", help="Keep the servers' data here; default: a temporary directory.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers up, also without a terminal.")] = False,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Leave the gates to you: nobody approves but who does so in the browser.")
    ] = False,
) -> int:
    """Run a plan from ownership confirmation to the last wave on embedded servers, in under two minutes.

    It prints a link for each owner, to look on in the browser as them. With --by-hand its clock is slower and it waits
    at each gate until enough of them have approved there; Ctrl-C ends it.

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
        ends = await _world(place, plan, tell, months=BY_HAND_MONTHS if by_hand else WORLD["months"])
        if by_hand:
            minutes = (ends - BEGIN).total_seconds() / BY_HAND_SPEED / 60
            tell(f"The gates are yours. There are facts for {minutes:.0f} minutes; without new ones a rollout holds.")
        slower = 1.0 if by_hand else slower_after(asyncio.get_running_loop().time() - started)
        if slower > 1:
            tell(f"This machine has much to do: days are {slower:.1f} times as long, and all of it takes longer.")
        view = await _run(place, plan, tell, speed=(BY_HAND_SPEED if by_hand else SPEED / slower), by_hand=by_hand)
        if view is None:
            say("Ended before the rollout was over.")
            return Exit.OK
        await _report(place, plan, view, started, by_hand=by_hand)
        if keep or out.is_terminal:
            say("The servers stay up; Ctrl-C ends them.")
            await _told_to_end()
        return Exit.OK
    finally:
        try:
            # Whoever has closed their terminal hears of nothing, and is left no servers all the same.
            tell("Ending worker and servers ...")
        finally:
            await bring_down(place)
            if home is None:
                shutil.rmtree(directory, ignore_errors=True)


def slower_after(seconds: float) -> float:
    """How many times longer a day has to be on a machine that took so long to begin: in days that are too short for it
    a month of bad numbers goes by before anybody has looked at them."""
    return min(SLOWEST, max(1.0, seconds / ORDINARY))


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


async def _world(place: Place, plan: RolloutPlan, tell: Callable[[str], None], *, months: int) -> datetime:
    """A partner world in which the pilot's partners stop following up leads in time for a month; until when it goes."""
    from cli.data import fill
    from store.world_spec import Slump

    slump = Slump(select=plan.cohorts.pilot.select, start=SLUMP[0], end=SLUMP[1], depth=55)
    tell(
        f"Generating {WORLD['partners']} partners and {months} months of facts, with a lead SLA slump in the pilot ..."
    )
    report = await fill(place.dsn, slumps=(slump,), **WORLD | {"months": months})
    tell(f"{sum(report.rows.values()):,} facts, {report.starts_at:%Y-%m-%d} to {report.ends_at:%Y-%m-%d}.")
    ends: datetime = report.ends_at
    return ends


async def _run(
    place: Place, plan: RolloutPlan, tell: Callable[[str], None], *, speed: float, by_hand: bool
) -> RolloutView | None:
    """Start the rollout, play its owners, and show the tree until it is over; None: somebody ended it before."""
    from cli.connect import open_gateway
    from cli.rollouts import follow

    gateway = await open_gateway(place)
    await gateway.start(plan, BEGIN, speed)
    tell(f"Started {plan.id} at programme time {BEGIN:%Y-%m-%d}, {speed / 86400:.1f} days a second. Web UI: {place.ui}")
    view = await _first_view(gateway, plan.id)
    for line in _ways_in(place, plan):
        tell(line)
    at = _page(place, plan) if by_hand else None
    owners = asyncio.create_task(Owners(gateway, service_of(place), plan, tell, at=at).play())
    try:
        following = follow(gateway, plan.id, view, None if by_hand else PATIENCE * SPEED / speed)
        return await (_or_told_to_end(following) if by_hand else following)
    finally:
        owners.cancel()
        await asyncio.gather(owners, return_exceptions=True)


def _page(place: Place, plan: RolloutPlan) -> str:
    """Where the rollout stands in the browser."""
    found = place.console()
    return f"{found[1] if found else ''}/rollouts/{plan.id}"


def _ways_in(place: Place, plan: RolloutPlan) -> list[str]:
    """The console, and a link that leads to the rollout as each person whom one can be there."""
    from console.devissuer import FIXED

    found = place.console()
    if found is None:
        return []
    back = quote(f"/rollouts/{plan.id}", safe="")
    people = [(one.name, one.role, one.identity) for one in plan.owners]
    people += [(one.name, one.role, one.identity) for one in FIXED]
    return [
        f"Console: {found[1]}; each of these links signs you in there as somebody else:",
        *(f"  {name} ({role}): {found[1]}/login?as={quote(who, safe='@')}&next={back}" for name, role, who in people),
    ]


async def _or_told_to_end(following: Coroutine[Any, Any, RolloutView]) -> RolloutView | None:
    """What following comes to; None where somebody types Ctrl-C before, which is no error where they are the owners."""
    over, told = asyncio.ensure_future(following), asyncio.create_task(_told_to_end())
    try:
        await asyncio.wait((over, told), return_when=asyncio.FIRST_COMPLETED)
        return await over if over.done() else None
    finally:
        over.cancel()
        told.cancel()
        await asyncio.gather(over, told, return_exceptions=True)


async def _first_view(gateway: Gateway, name: str) -> RolloutView:
    """The worker may still be starting."""
    for _ in range(4):
        with contextlib.suppress(GatewayError):
            return await gateway.status(name)
    return await gateway.status(name)


class Owners:
    """Plays the people of the plan: confirms, approves, reviews, and resumes once the numbers have recovered.

    Args:
        service: where it asks, as each of them.
        at: where people approve by themselves; None plays that as well.
    """

    def __init__(
        self, gateway: Gateway, service: str, plan: RolloutPlan, tell: Callable[[str], None], *, at: str | None = None
    ) -> None:
        self._gateway = gateway
        self._service = service
        self._plan = plan
        self._tell = tell
        self._at = at
        self._gate: str | None = None
        self._players = Players(plan, ask_every=ASK_EVERY, give_up=None)

    async def play(self) -> None:
        """Act whenever somebody is awaited."""
        while True:
            try:
                view = await self._gateway.status(self._plan.id)
                if view.status in TERMINAL:
                    return
                self._say_what_waits(view)
                for act in self._players.acts(view):
                    if self._at is None or act.verb is not Verb.DECIDE:
                        self._players.heard(act, await self._ask(act))
            except (GatewayError, CliError) as problem:
                self._tell(str(problem))
            await asyncio.sleep(0.4)

    def _say_what_waits(self, view: RolloutView) -> None:
        """Which gate is open, once, to whoever has to pass it."""
        gate = view.gate if view.gate and not view.gate.approved_at else None
        rule = self._plan.approvals.rule(gate.name) if gate else None
        if self._at and gate and rule and gate.key != self._gate:
            self._tell(f"Gate {gate.key} waits for you: {rule.quorum} of {', '.join(rule.roles)} approve at {self._at}")
        self._gate = gate.key if gate else None

    async def _ask(self, act: Act) -> Receipt:
        owner = act.owner
        way = Claimed(self._service, owner.identity)
        receipt = await way.send(self._plan.id, act.verb, act.reason, **act.fields)
        mark = "refused" if receipt.outcome is Outcome.REFUSED else "says"
        self._tell(f"{owner.name} ({owner.role}) {mark}: {act.verb.value}. {receipt.message}"[:200])
        return receipt


async def _report(place: Place, plan: RolloutPlan, view: RolloutView, started: float, *, by_hand: bool) -> None:
    """The log, and where to look.

    Raises:
        CliError: the rollout did not complete, or never paused, though nobody but us has decided.
    """
    from cli.history import print_log, whole_log

    entries = await whole_log(place, view)
    print_log(entries)
    seconds = asyncio.get_running_loop().time() - started
    completed = view.phase is Phase.CLOSE and view.status is Status.COMPLETED
    if not completed and not by_hand:
        raise CliError(f"The rollout did not complete in its time: {view.sentence}")
    if not by_hand and not any(entry.kind.value == "pause" for entry in entries):
        raise CliError("The rollout never paused, though its pilot's SLA slumped.")
    how = "Completed" if completed else "Over"
    told = f"{many(len(entries), 'log entry', 'log entries')}, {many(view.refused, 'refusal')} among them"
    say(f"{how} in {seconds:.0f} s: {told}.")
    say(f"Console: {_page(place, plan)} · Web UI: {place.ui} · history: rollouts history {plan.id} --dir {place.home}")
