"""Runs a plan over past facts, start to end, with the real program: servers, imports, start, and the owners' decisions.

    python examples/run_history.py examples/plans/adventureworks-margin.yaml --data DIRECTORY
    python examples/run_history.py examples/plans/boston311-follow-up.yaml --data DIRECTORY

DIRECTORY holds the CSV files named in examples/mappings/README.md. For a plan of your own say what to import and when
the programme clock begins:

    python examples/run_history.py my-plan.yaml --data facts --clock-start 2025-01-06 \
        --import partners partners.csv my-partners.yaml --import leads leads.csv.gz my-leads.yaml

Everything is done by `rollouts` commands, which are printed; only the status is asked in between. The owners are
played by `cli.players`: they approve what the evidence allows, hold reviews when due, resume once fresh evidence shows
no breach, and stop after nine resumes of one pause were refused. When they act depends on how fast the machine is: at
the default speed a second is six days, so dates differ by days from run to run. Six years take six minutes.

Exit code 0 when the rollout reached an end, completed or stopped; 1 when it did not, or something failed; 2 when
what was given cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from cli.connect import open_gateway
from cli.history import print_log, whole_log
from cli.home import Place
from cli.output import OF_KIND, CliError, Exit, complain, say, table
from cli.plan import read_plan
from cli.players import ASK_EVERY, GIVE_UP, Act, Players
from cli.tree import plain
from console.errors import GatewayError
from console.gateway import Gateway
from deploy.embedded.account import temporary_directory
from examples.history_report import PHASES, STANDSTILLS, phase_rows, read_story, standstill_rows
from models.command import Verb
from models.log import Outcome, Receipt
from models.plan import RolloutPlan
from models.rollout import TERMINAL, RolloutView

MAPPINGS = Path(__file__).parent / "mappings"
SPEED = 500_000.0
LOOK_EVERY = 0.25
"""Real seconds between two looks at the status."""


class Import(NamedTuple):
    """One `rollouts data import`: the kind of fact, the file in the data directory, and the mapping."""

    kind: str
    file: str
    mapping: Path


class History(NamedTuple):
    """What the plans of this directory run over."""

    clock_start: str
    imports: tuple[Import, ...]


def _sales(kind: str, mapping: str) -> Import:
    return Import(kind, "fact_reseller_sales.csv.gz", MAPPINGS / "adventureworks" / mapping)


def _cases(kind: str, mapping: str) -> Import:
    return Import(kind, "cases.csv.gz", MAPPINGS / "boston311" / mapping)


HISTORIES = {
    "adventureworks-margin": History(
        "2011-07-01",
        (
            Import("partners", "dim_reseller.csv", MAPPINGS / "adventureworks" / "partners.yaml"),
            _sales("transactions", "transactions.yaml"),
            _sales("costs", "product-costs.yaml"),
            _sales("costs", "freight-costs.yaml"),
        ),
    ),
    "boston311-follow-up": History("2014-01-06", (_cases("partners", "partners.yaml"), _cases("leads", "leads.yaml"))),
}
"""By plan id: when the clock begins, and the files, partners first."""


class Program:
    """The `rollouts` command on the embedded servers of a directory."""

    def __init__(self, home: Path) -> None:
        self._program = Path(sys.executable).with_name("rollouts")
        if not self._program.exists():
            raise CliError(f"{self._program} is missing; install the project, or run this with .venv/bin/python.")
        # Servers that the environment names are somebody's own: nothing here may touch them.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "ROLLOUTS_"))}
        self._env = {**kept, "ROLLOUTS_HOME": str(home)}

    async def run(self, *arguments: str) -> None:
        """Run a command and pass on what it says, all of it as progress: standard output is for the report.

        Raises:
            CliError: it failed.
        """
        say(f"$ rollouts {' '.join(arguments)}")
        process = await asyncio.create_subprocess_exec(self._program, *arguments, env=self._env, stdout=sys.stderr)
        if await process.wait():
            raise CliError(f"`rollouts {' '.join(arguments[:2])}` ended with {process.returncode}.")

    async def ask(self, name: str, act: Act) -> Receipt:
        """Ask the rollout as an owner does; what came of it.

        Raises:
            CliError: the command did not get an answer.
        """
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            self._program, *arguments_of(name, act), "-o", "json", env=self._env, stdout=pipe, stderr=pipe
        )
        answered, complained = await process.communicate()
        if not answered:
            raise CliError(complained.decode().strip() or f"no answer (exit code {process.returncode})")
        return Receipt.model_validate_json(json.dumps(json.loads(answered)["data"]))


def arguments_of(name: str, act: Act) -> list[str]:
    """The command line of an act."""
    common = [name, "--as", act.owner.identity, "-m", act.reason]
    fields = act.fields
    match act.verb:
        case Verb.CONFIRM_OWNERSHIP:
            return ["confirm", *common, "--role", str(fields["role"])]
        case Verb.DECIDE:
            gate, evidence = str(fields["gate"]), str(fields["evidence_digest"])
            return [str(fields["choice"]), *common, "--gate", gate, "--evidence", evidence]
        case Verb.STOP:
            fates = [part for name, fate in fields["resolution"] for part in (f"--{name}", fate.value)]
            return ["stop", *common, *fates]
        case _:
            return [act.verb.value, *common]


async def play(program: Program, gateway: Gateway, plan: RolloutPlan, players: Players, patience: float) -> RolloutView:
    """Look at the rollout and let its owners act until it is over, or `patience` real seconds have passed."""
    loop = asyncio.get_running_loop()
    until, told, view = loop.time() + patience, None, None
    while loop.time() < until:
        try:
            view = await gateway.status(plan.id)
        except GatewayError as problem:
            say(f"({problem})")
            await asyncio.sleep(1)
            continue
        if (standing := (view.status, view.phase, view.wave, view.pause)) != told:
            told = standing
            say(plain(view)[:300])
        if view.status in TERMINAL:
            return view
        acts = players.acts(view)
        for act, receipt in zip(
            acts, await asyncio.gather(*(_ask(program, plan.id, act) for act in acts)), strict=True
        ):
            if receipt is not None:
                players.heard(act, receipt)
        await asyncio.sleep(LOOK_EVERY)
    raise CliError(f"{plan.id} did not come to an end within {patience:g} s. {view.sentence if view else ''}")


async def _ask(program: Program, name: str, act: Act) -> Receipt | None:
    """One act; a command that got no answer is no reason to end: the next look shows what came of it."""
    try:
        receipt = await program.ask(name, act)
    except CliError as problem:
        say(f"  {act.owner.name}: {act.verb.value} not answered: {problem}"[:300])
        return None
    mark = "refused" if receipt.outcome is Outcome.REFUSED else receipt.outcome.value
    say(f"  {act.owner.name} ({act.owner.role}): {act.verb.value}, {mark}. {receipt.message}"[:300])
    return receipt


async def report(place: Place, view: RolloutView) -> None:
    """Print the phases, what stood still, and the decision log."""
    entries = await whole_log(place, view)
    story = await read_story(place.dsn, view)
    _heading(f"{story.plan.title}: {view.status.value}, {_day(view)}. {view.sentence}")
    table(*PHASES, rows=phase_rows(story))
    _heading("What paused and what held (programme time)")
    table(*STANDSTILLS, rows=standstill_rows(story))
    _heading(f"Decision log, {len(entries)} entries, {view.refused} refusals among them")
    print_log(entries)


def _heading(text: str) -> None:
    print(f"\n== {text}\n", flush=True)


def _day(view: RolloutView) -> str:
    return f"{view.history[0].entered_at:%Y-%m-%d} to {view.history[-1].entered_at:%Y-%m-%d}"


async def main(given: argparse.Namespace) -> int:
    """Run the whole of it; see the module's text."""
    plan = read_plan(given.plan)
    imports, clock_start = _facts(given, plan)
    home = given.dir or temporary_directory("rollouts-history-")
    program, place = Program(home), Place(home, own=True)
    players = Players(plan, ask_every=timedelta(days=given.ask_every), give_up=given.give_up)
    try:
        await program.run("up")
        for one in imports:
            await program.run(
                "data", "import", one.kind, str(given.data / one.file), "--mapping", str(one.mapping), "--strict"
            )
        await program.run("start", "-f", str(given.plan), "--clock-start", clock_start, "--speed", f"{given.speed:g}")
        view = await play(program, await open_gateway(place), plan, players, given.patience)
        await report(place, view)
        if given.keep:
            say(f"The servers stay up in {home}: Web UI {place.ui}; end them with `rollouts down --dir {home}`.")
        return 0
    finally:
        if not given.keep:
            await _end(program, home, keep_data=given.dir is not None)


async def _end(program: Program, home: Path, *, keep_data: bool) -> None:
    """End the servers; their data go only when nothing runs on them any more."""
    try:
        await program.run("down")
    except CliError as problem:
        say(f"{problem} Look what still runs in {home}.")
        return
    if not keep_data:
        shutil.rmtree(home, ignore_errors=True)


def _facts(given: argparse.Namespace, plan: RolloutPlan) -> tuple[tuple[Import, ...], str]:
    """What to import and when to begin: as said on the command line, else as known of the plan.

    Raises:
        CliError: not said and not known, or a file is missing.
    """
    known = HISTORIES.get(plan.id)
    imports = tuple(Import(kind, file, Path(mapping)) for kind, file, mapping in given.imports)
    imports = imports or (known.imports if known else ())
    clock_start = given.clock_start or (known.clock_start if known else None)
    if not imports or clock_start is None:
        raise CliError(f"Nothing is known of {plan.id}: say what to --import and the --clock-start.", Exit.BAD_INPUT)
    missing = [str(path) for one in imports for path in (given.data / one.file, one.mapping) if not path.is_file()]
    if missing:
        told = f"No such file: {', '.join(dict.fromkeys(missing))}. --data names the directory of the facts."
        raise CliError(told, Exit.BAD_INPUT)
    return imports, clock_start


def _arguments() -> argparse.Namespace:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="directory of the CSV files")
    parser.add_argument(
        "--import", dest="imports", nargs=3, action="append", default=[], metavar=("KIND", "FILE", "MAP")
    )
    parser.add_argument("--clock-start", help="programme time to begin at, for example 2014-01-06")
    parser.add_argument("--speed", type=float, default=SPEED, help="programme seconds per real second (%(default)g)")
    parser.add_argument("--ask-every", type=int, default=ASK_EVERY.days, help="days between two resumes (%(default)s)")
    parser.add_argument("--give-up", type=int, default=GIVE_UP, help="refused resumes before a stop (%(default)s)")
    parser.add_argument("--patience", type=float, default=900, help="real seconds until it gives up (%(default)g)")
    parser.add_argument("--dir", type=Path, help="keep the servers' data here; default: a temporary directory")
    parser.add_argument("--keep", action="store_true", help="leave the servers up")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        code = asyncio.run(main(_arguments()))
    except CliError as problem:
        complain(str(problem))
        code = int(problem.code)
    except GatewayError as problem:
        complain(str(problem))
        code = int(OF_KIND[problem.kind])
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    # The Temporal client's threads may abort an interpreter that winds down.
    os._exit(code)
