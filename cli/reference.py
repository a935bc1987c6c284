"""Writes docs/cli.md from the commands themselves: `python -m cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from cli.main import app
from cli.output import JSON_VERSION, MEANING

TARGET = Path(__file__).parent.parent / "docs" / "cli.md"

_HEAD = """\
# The terminal

Written by `python -m cli.reference` from the commands themselves; a test fails when it is stale.

Results go to stdout, everything else to stderr. In a terminal, tables fold and `get -w` redraws; elsewhere a line is a
line. Nothing that somebody wrote into a plan or a reason can steer your terminal: control characters are replaced.

"""

_JSON = f"""
## JSON
With `-o json` stdout holds exactly one document: `{{"version": {JSON_VERSION}, "kind": ..., "data": ...}}`. The version
changes when a script could break; new fields may appear at any time. `get -w -o json` prints one such document per
line and change. A refused request is a `receipt` as well, with exit code 6. An error leaves stdout empty; its sentence
is on stderr, and the exit code tells its kind.

| kind | of | data |
| --- | --- | --- |
"""

KINDS = {
    "up": ("up", "directory, addresses, Web UI, pid and log of worker and console, migrations applied"),
    "down": ("down", "directory, and what was ended"),
    "doctor": ("doctor", "a list: check, ok (null: not looked at), found, advice"),
    "start": ("start", "rollout, digest of the plan, whether this command started it, dry_run"),
    "rollouts": (
        "list",
        "a list, the newest first: rollout, title, digest, phase, wave, status, sentence, since, open, "
        "alarms about its workflow",
    ),
    "rollout": (
        "get",
        "where it stands, as the workflow's query `status` answers; ahead: what is about to breach, not with -w",
    ),
    "explanation": ("explain", "status, sentence, next, holds, pause, gate, awaited, ahead, evidence, actions"),
    "evidence": (
        "evidence",
        "an assessment whole: items, each with comparison, contributions and quality; measured: of each cohort and "
        "metric value, reason, numerator, denominator, parts, n_partners, n_facts, window, data_through, "
        "definition_version; beside: of partners who are not enrolled",
    ),
    "receipt": (
        "approve and every other request",
        "request_id, outcome (applied, pending, refused), message, sequence",
    ),
    "login": ("login", "url, issuer, subject, identity, name; never the token"),
    "logout": ("logout", "was: who was signed in (null: nobody)"),
    "sessions": (
        "sessions list",
        "a list, the oldest first: session_id, kind, issuer, subject, identity, name, when, ended_at, ended_by",
    ),
    "history": (
        "history",
        "rollout, runs, missing_run (null: none is past retention), "
        "taken_up (when a worker took up a task it has not answered yet, or null), entries (of the log; null: it could "
        "not be read), lines, each with source and disagrees (null: it does not)",
    ),
    "bundle": ("audit export", "bundle, SHA-256 of its manifest, files, entries, covered (by a checkpoint)"),
    "verification": (
        "audit verify",
        "proven (nothing is wrong, and all proven but what --allow names), "
        "line, numbers; findings, each with check, what, file, entry, found, expected, gap "
        "(null: it is wrong; otherwise what could not be proven), sentence",
    ),
    "proof": ("audit prove --check", "the leaf: rollout, chain, run, sequence, entry; origin and size of the log"),
    "record": ("record", "rollout, folder, files (paths in it)"),
    "next-cycle": ("next-cycle", "rollout, id and digest of the draft, file (null: none), reasons by field, text"),
    "decisions": ("decisions", "the log's entries, the oldest first"),
    "plan-validation": (
        "plan validate",
        "a list: file, valid, digest, problems with line and column; warnings (null: none, the store was not asked)",
    ),
    "plan-power": (
        "plan power",
        "cohort, partners, days, runs, seed; of each metric rules (what limits cost), change (what shows), picked",
    ),
    "plan": ("plan show", "the plan as it was read, and its digest"),
    "calendar": (
        "data calendar",
        "hours by weekday, time_zone, partners; days of the year, library_version (null: the year is not stored)",
    ),
    "currency": (
        "data currency",
        "currency, before (null: not changed); without_rate: currency, months, first, last; "
        "open_rollouts, rollouts_over",
    ),
    "import": (
        "data import",
        "run_id; rows read, inserted, updated, unchanged, skipped, rejected; reject_file, first_reasons",
    ),
    "data": (
        "data status",
        "sources, each with through, lag, bound, severity, late, facts, rejected, its last import; waiting events",
    ),
    "contradictions": (
        "data check",
        "as_of, looked_for, facts; found, each with contradiction, kind, says, moves, read_by, facts, "
        "sources (facts of each), first, each with source, source_id, partner_id, found, expected",
    ),
    "metrics": (
        "metrics list",
        "a list, the framework's six first: name, title, unit, direction, use, owner_role, formula, fact, parts, "
        "no_value, defaults, definition_version",
    ),
    "metric": (
        "metrics show",
        "value, reason and why (null: there is a value), numerator, denominator, parts, n_partners, n_facts, window, "
        "as_of, data_through, definition_version, members, worst, leads; current, sample_reached, checks, counted "
        "(null: the window ended before as_of); with --by-partner before and partners, each with value, row and "
        "contribution",
    ),
    "world": ("data generate", "partners, rows by table and how many say something else later, from and to when"),
    "key": ("keys add", "name, source, and the key itself, which is shown this once"),
    "keys": ("keys list", "a list: key_id, name, source_system, created_at, revoked_at, last_used_at"),
    "revoked": ("keys revoke", "name"),
    "signing-key": ("keys sign generate, keys sign rotate", "kid, and the files of key and public"),
    "public-keys": ("keys sign list", "a list, the newest first: kid, kty, crv, x"),
    "sessions-revoked": ("sessions revoke", "whose, and how many sessions"),
    "notices": (
        "notices",
        "a list: notice_id, contact, rollout_id, chain_id, kind, subject, state, created_at, attempts, delivered, "
        "refused, problem, next_try_at, sent_at, refused_at",
    ),
    "log-key": ("keys log generate, keys log rotate", "vkey, and the files of key and verifier keys"),
    "log-keys": ("keys log list", "a list, the newest first: name, id, vkey"),
    "grants": ("db grant", "role, tables (how many it may use), password (null: the role was there)"),
    "migrated": ("db migrate", "the migrations it applied"),
    "migrations": ("db status", "a list: name, state, applied_at"),
}
"""Every kind of document, the command that prints it, and what is in it."""

_ENVIRONMENT = """
## Environment
| variable | meaning |
| --- | --- |
| `ROLLOUTS_HOME` | directory of the embedded servers, as `--dir`; default `.rollouts` |
| `ROLLOUTS_IDENTITY` | who you are, as `--as` |
| `ROLLOUTS_DATABASE_DSN` | PostgreSQL, instead of the embedded one |
| `TEMPORAL_ADDRESS` | Temporal, instead of the embedded one; all other `TEMPORAL_*` variables and profiles of Temporal's own tools count then, too |
| `ROLLOUTS_DEBUG` | anything: an unexpected error shows where it comes from |
| `NO_COLOR` | anything: no colours |

`up` and `down` work on embedded servers only, whatever the environment names.

The settings of `rollouts worker run` are in [operations.md](operations.md).
"""  # noqa: E501


def text() -> str:
    """The whole page."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANING.items())
    kinds = "".join(f"| `{kind}` | {of} | {data} |\n" for kind, (of, data) in KINDS.items())
    commands = "".join(_section(names, found) for names, found in commands_of(typer.main.get_command(app)))
    return (
        f"{_HEAD}## Exit codes\n| code | meaning |\n| --- | --- |\n{codes}{_JSON}{kinds}"
        f"{_ENVIRONMENT}\n## Commands\n{commands}"
    )


def commands_of(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group with its words, in the order of the help."""
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from commands_of(found, *names, name)
        else:
            yield (*names, name), found


def _section(names: tuple[str, ...], found: Any) -> str:
    with found.make_context(" ".join(("rollouts", *names)), [], resilient_parsing=True) as context:
        usage = context.get_usage().removeprefix("Usage: ").replace("{", "").replace("}", "")
        records = [one.get_help_record(context) for one in found.get_params(context) if one.name != "help"]
    example = (found.epilog or "").removeprefix("Example: ")
    rows = "".join(f"| `{_cell(option)}` | {_cell(meaning)} |\n" for option, meaning in filter(None, records))
    return (
        f"\n### rollouts {' '.join(names)}\n{inspect.cleandoc(found.help or '')}\n\n"
        f"```text\n{' '.join(usage.split())}\n{example}\n```\n\n| | |\n| --- | --- |\n{rows}"
    )


def _cell(told: str) -> str:
    return " ".join(told.split()).replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
