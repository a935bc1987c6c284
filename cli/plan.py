"""plan validate, schema, show, new: a plan before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.output import CliError, Exit, Format, Output, command, emit_json, out, say
from models.base import format_duration, short
from models.metric import CATALOGUE
from models.plan import CohortSpec, RolloutPlan

app = typer.Typer(help="Plans: check, show, start a new one.", no_args_is_help=True)

SCHEMA_FILE = Path("docs/plan.schema.json")


def read_plan(path: Path) -> RolloutPlan:
    """A plan from its file.

    Raises:
        CliError: every problem as file:line:column, field, what was found and what is allowed.
    """
    from cli.planfile import PlanError, load_plan

    try:
        return load_plan(path)
    except PlanError as error:
        raise CliError("\n".join(str(problem) for problem in error.problems), Exit.BAD_INPUT) from error
    except OSError as error:
        raise CliError(f"{path}: cannot be read: {error.strerror}.", Exit.BAD_INPUT) from error


@app.command(epilog="Example: rollouts plan validate my-plan.yaml")
@command
async def validate(
    files: Annotated[list[Path], typer.Argument(help="Plan files.")], output: Output = Format.TABLE
) -> int:
    """Check plans; every problem is named with file, line and column. Exit code 2 if there is one."""
    from cli.planfile import PlanError

    results: list[dict[str, Any]] = []
    for file in files:
        try:
            plan = read_plan(file)
            results.append({"file": str(file), "valid": True, "digest": plan.digest, "problems": []})
        except CliError as error:
            cause = error.__cause__
            found = [one.model_dump(mode="json") for one in cause.problems] if isinstance(cause, PlanError) else []
            results.append({"file": str(file), "valid": False, "problems": found or [{"message": str(error)}]})
            if output is Format.TABLE:
                say(str(error))
        else:
            if output is Format.TABLE:
                say(f"{file}: valid, plan {short(plan.digest)}")
    if output is Format.JSON:
        emit_json("plan-validation", results)
    return Exit.OK if all(one["valid"] for one in results) else Exit.BAD_INPUT


@app.command(epilog="Example: rollouts plan schema > plan.schema.json")
def schema(
    write: Annotated[bool, typer.Option("--write", help=f"Write {SCHEMA_FILE} instead of printing.")] = False,
) -> None:
    """The JSON Schema of plans, for editors; generated from the models."""
    text = schema_text()
    if write:
        SCHEMA_FILE.write_text(text, encoding="utf-8")
        say(f"written {SCHEMA_FILE}")
    else:
        typer.echo(text, nl=False)


def schema_text() -> str:
    """The published schema."""
    found = RolloutPlan.model_json_schema(by_alias=True)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
    return json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


@app.command(epilog="Example: rollouts plan new faster-leads --option B -o faster-leads.yaml")
@command
async def new(
    plan_id: Annotated[str, typer.Argument(metavar="ID", help="The plan's id: lower case, digits, dashes.")],
    option: Annotated[str, typer.Option(help="A maintain, B staged, C redesign.")] = "B",
    file: Annotated[Path | None, typer.Option("-o", "--file", help="Where to write; default ID.yaml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a commented, valid plan to start from."""
    from cli.plan_template import plan_template
    from cli.planfile import PlanError, parse_plan

    target = file or Path(f"{plan_id}.yaml")
    if option.upper() not in ("A", "B", "C"):
        raise CliError(f"option is {option!r}; A, B and C are allowed.", Exit.BAD_INPUT)
    text = plan_template(plan_id, option.upper())
    try:
        parse_plan(text, str(target))
    except PlanError as error:
        raise CliError("\n".join(str(problem) for problem in error.problems), Exit.BAD_INPUT) from error
    try:
        with target.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise CliError(f"{target} exists; --force writes over it.", Exit.BAD_INPUT) from None
    say(f"written {target}; edit it, then `rollouts plan validate {target}`")


@app.command(epilog="Example: rollouts plan show my-plan.yaml")
@command
async def show(file: Annotated[Path, typer.Argument(help="Plan file.")], output: Output = Format.TABLE) -> None:
    """A plan as people read it: the decision, who owns what, what decides, what happens when."""
    plan = read_plan(file)
    if output is Format.JSON:
        emit_json("plan", {**plan.model_dump(mode="json", by_alias=True), "digest": plan.digest})
    else:
        out.print(Group(_decision(plan), _people(plan), _cohorts(plan), _metrics(plan), _course(plan)))


def _heading(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _decision(plan: RolloutPlan) -> Group:
    names = plan.name_variants
    parts: list[Text] = [
        Text(f"{plan.title}  ·  plan {short(plan.digest)}  ·  {plan.framework}", "bold"),
        Text(f"{names.english} / {names.katakana} / {names.kanji}"),
        Text(
            f"{plan.quality.value}, updated {plan.updated}; conflict of interest: {plan.conflict_of_interest.statement}"
        ),
        Text("Sources: " + "; ".join(f"{one.title} ({one.reference})" for one in plan.sources)),
        _heading("Context"),
        Text(plan.context),
        _heading("Options"),
    ]
    for key, option in (("A", plan.options.A), ("B", plan.options.B), ("C", plan.options.C)):
        chosen = " ← chosen" if key == plan.chosen.value else ""
        parts.append(Text(f"{key}: {option.description}{chosen}", "bold" if chosen else ""))
        parts.append(Text(f"   gains: {'; '.join(option.gains)}\n   costs: {'; '.join(option.costs)}"))
    parts += [_heading("Decision"), Text(plan.decision), Text(f"Trade-off: {plan.trade_off}")]
    parts += [_heading("Rationale"), Text(plan.rationale), _heading("Risks")]
    parts += [Text(f"- {one.risk}\n  mitigation: {one.mitigation}") for one in plan.risks]
    parts += [_heading("Next"), *(Text(f"- {step}") for step in plan.next_steps)]
    parts += [_heading("Constraints"), *(Text(f"- {one}") for one in plan.constraints)]
    return Group(*parts)


def _people(plan: RolloutPlan) -> Group:
    rows = Table("role", "name", "identity", title="Owners", title_justify="left", box=None)
    for owner in plan.owners:
        mark = " (proposer)" if owner.identity.casefold() == plan.proposer.casefold() else ""
        rows.add_row(owner.role, owner.name + mark, owner.identity)
    return Group(Text(""), rows)


def _cohorts(plan: RolloutPlan) -> Group:
    rows = Table("cohort", "who", title="Cohorts", title_justify="left", box=None)
    for spec in plan.cohort_specs():
        rows.add_row(spec.name, _who(spec))
    return Group(Text(""), rows)


def _who(spec: CohortSpec) -> str:
    if spec.select is None:
        return f"{len(spec.partners)} partners by id"
    parts = [
        f"{name} {' or '.join(found)}"
        for name, found in (("tier", spec.select.tier), ("region", spec.select.region), ("type", spec.select.type))
        if found
    ]
    limit = f", at most {spec.select.limit}" if spec.select.limit else ""
    return (", ".join(parts) or "any partner") + limit


def _metrics(plan: RolloutPlan) -> Group:
    columns = ("metric", "use", "agreed", "window", "tolerates", "least sample", "on breach")
    rows = Table(*columns, title="Metrics", title_justify="left", box=None)
    for one in plan.metrics:
        in_all = "" if one.tolerance.in_all is None else f", {one.tolerance.in_all} in all"
        rows.add_row(
            CATALOGUE[one.metric].title,
            one.purpose.value,
            " and ".join(str(limit) for limit in one.thresholds),
            format_duration(one.window),
            f"{one.tolerance.in_a_row} in a row{in_all}",
            f"{one.minimum_sample.partners} partners, {one.minimum_sample.facts} facts",
            one.on_breach.value,
        )
    missing = [Text(f"not measured: {CATALOGUE[one.metric].title}: {one.reason}") for one in plan.not_measured]
    return Group(Text(""), rows, *missing)


def _course(plan: RolloutPlan) -> Group:
    phases = plan.phases
    waves = [f"wave {one.name} {format_duration(one.bake)}" for one in plan.cohorts.waves]
    steps = [f"pilot {format_duration(phases.pilot)}", f"validate {format_duration(phases.validate_for)}", *waves]
    lines = [_heading("Course"), Text(" → ".join(["prepare", *steps, "close"]))]
    for gate in ("prepare_to_pilot", "pilot_to_validate", "validate_to_scale", "prepare_to_scale", "wave"):
        rule = getattr(plan.approvals, gate)
        if rule is not None:
            lines.append(
                Text(f"gate {gate}: {rule.quorum} of {', '.join(rule.roles)}, due in {format_duration(rule.due)}")
            )
    first, every = format_duration(plan.reviews.first), format_duration(plan.reviews.every)
    lines.append(Text(f"review after {first}, then every {every}"))
    lines += [Text(f"stop: {one.condition}") for one in plan.stop_conditions]
    lines += [Text(f"frozen {one.start:%Y-%m-%d} to {one.end:%Y-%m-%d}: {one.name}") for one in plan.freeze_windows]
    return Group(*lines)
