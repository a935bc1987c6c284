"""Reads a plan from its YAML file, and says of everything that does not hold where it stands and what is allowed."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from cli.plannodes import Fault, Place, Read, Where, read_nodes
from models.base import Frozen
from models.owner import Identity, Role, Slug, Text
from models.plan import RolloutPlan
from models.plan_metric import LIMITS, Limit
from models.plan_rule import BrokenRule

MAX_BYTES = 1_000_000
TOP = Place(1, 1)

M = TypeVar("M", bound=BaseModel)


class Sort(NamedTuple):
    """What a file is expected to be: what people call it, and where to get one."""

    name: str
    template: str


PLAN = Sort("plan", "`rollouts plan new ID` writes a template")

Schema: TypeAlias = dict[str, Any]


class PlanProblem(Frozen):
    """One thing that does not hold. Line and column count from 1; `field` is a dotted path, empty for the file."""

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class PlanError(Exception):
    """The file is not a plan. `problems` are all that were found, in the order of their place."""

    def __init__(self, problems: Iterable[PlanProblem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems = tuple(sorted(unique, key=lambda one: (one.line, one.column, one.field, one.message)))
        super().__init__("\n".join(map(str, self.problems)))


def load_plan(path: Path) -> RolloutPlan:
    """The plan in a file.

    Raises:
        PlanError: the file cannot be read, is larger than `MAX_BYTES`, is not UTF-8, or is not a plan.
    """
    return load_as(RolloutPlan, path, PLAN)


def load_as(model: type[M], path: Path, sort: Sort) -> M:
    """What is in a file that is to be something else. Raises like `load_plan`."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(name, f"cannot be read: {error.strerror or error}") from error
    return _decoded(model, content, name, sort)


def problem_of(path: Path, field: str, message: str) -> PlanProblem:
    """What is wrong with a plan that can be read, at its place in the file; at the beginning of one that cannot be read
    a second time."""
    where: Where = tuple(int(part) if part.isdigit() else part for part in field.split("."))
    try:
        place = read_nodes(path.read_text(encoding="utf-8-sig")).place(where)
    except (OSError, ValueError, yaml.YAMLError):
        place = TOP
    return _problem(str(path), Fault(where, place, message))


def plan_from(content: bytes, name: str) -> RolloutPlan:
    """The plan in a file's bytes; `name` is what problems call the file. Raises like `load_plan`."""
    return _decoded(RolloutPlan, content, name, PLAN)


def _decoded(model: type[M], content: bytes, name: str, sort: Sort) -> M:
    _check_size(len(content), name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise _refused(
            name, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8", place
        ) from error
    return parse_as(model, text, name, sort)


def parse_plan(text: str, name: str) -> RolloutPlan:
    """The plan in a text; `name` is what problems call the file. Rules across fields are judged once all fields
    can be read.

    Raises:
        PlanError: the text is not YAML or not a plan.
    """
    return parse_as(RolloutPlan, text, name, PLAN)


def parse_as(model: type[M], text: str, name: str, sort: Sort) -> M:
    """The same for a text that is to be something else."""
    _check_size(len(text.encode("utf-8", "surrogatepass")), name)
    try:
        read = read_nodes(text)
    except yaml.YAMLError as error:
        raise _syntax(error, text, name) from error
    problems = [_problem(name, fault) for fault in read.faults]
    if read.value is None and not problems:
        raise _refused(name, f"the file is empty; {sort.template}")
    if not isinstance(read.value, dict):
        told = f"found {_found(read.value)}; a {sort.name} is a mapping of fields"
        raise PlanError(problems or [_problem(name, Fault((), read.place(()), told))])
    if not problems and read.value.keys().isdisjoint(_fields(model)):
        # Every field would be missing, and none of that would help.
        keys = ", ".join(repr(key[:40]) for key in list(read.value)[:5]) or "nothing"
        told = f"found {keys}; no field of a {sort.name} is among them"
        raise PlanError([_problem(name, Fault((), read.place(()), f"{told}; {sort.template}"))])
    try:
        found = model.model_validate_json(json.dumps(read.value))
    except ValidationError as error:
        problems += [_problem(name, fault) for fault in _told(error.errors(include_url=False), read, model)]
    else:
        if not problems:
            return found
    raise PlanError(problems)


def _fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _check_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise _refused(name, f"the file is larger than {MAX_BYTES:,} bytes; select partners instead of listing them")


def _refused(name: str, message: str, place: Place = TOP) -> PlanError:
    return PlanError([PlanProblem(file=name, line=place.line, column=place.column, field="", message=message)])


def _syntax(error: yaml.YAMLError, text: str, name: str) -> PlanError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else TOP
        told = ", ".join(part for part in (error.context, error.problem) if part)
        return _refused(name, f"not valid YAML: {told or error}", place)
    position = getattr(error, "position", 0)
    before = text[:position]
    place = Place(before.count("\n") + 1, position - before.rfind("\n"))
    if isinstance(error, yaml.reader.ReaderError) and position < len(text):
        return _refused(name, f"the character U+{ord(text[position]):04X} is not allowed", place)
    return _refused(name, f"not valid YAML: {error}", place)


def _problem(name: str, fault: Fault) -> PlanProblem:
    field = ".".join(map(str, fault.where))
    return PlanProblem(file=name, line=fault.place.line, column=fault.place.column, field=field, message=fault.message)


def is_slug(text: str) -> bool:
    """Whether a plan can have this id."""
    return re.fullmatch(_pattern(Slug), text) is not None


# From pydantic's errors to sentences


def _told(errors: list[ErrorDetails], read: Read, model: type[BaseModel]) -> Iterable[Fault]:
    """What to say of each error. Left out: what only follows from a fault that is told at its own place."""
    schema = model.model_json_schema()
    spoiled = {fault.where for fault in read.faults if fault.spoils}
    faulty = spoiled | {error["loc"] for error in errors}
    meant = {_meant(error, schema) for error in errors if error["type"] == "extra_forbidden"}
    for error in errors:
        kind, where = error["type"], error["loc"]
        if kind == "broken_rules":
            yield from (_rule_told(rule, read) for rule in error["ctx"]["rules"] if not spoiled)
            continue
        if any(_within(where, one) for one in spoiled) or (kind == "missing" and where in meant):
            continue
        if kind == "too_short" and any(_within(one, where) for one in faulty - {where}):
            continue  # pydantic counts only the items that are right
        place = read.key_place(where) if kind == "extra_forbidden" else read.place(where)
        yield Fault(where, place, _message(error, where, schema))


def _within(where: Where, ancestor: Where) -> bool:
    return where[: len(ancestor)] == ancestor


def _rule_told(rule: BrokenRule, read: Read) -> Fault:
    where = tuple(int(part) if part.isdigit() else part for part in rule.field.split("."))
    return Fault(where, read.place(where), rule.message)


def _message(error: ErrorDetails, where: Where, schema: Schema) -> str:
    """What was found and what is allowed."""
    kind, context = error["type"], error.get("ctx", {})
    found = f"found {_found(error['input'])}"
    allowed = _at(schema, where)
    if kind == "missing":
        return "missing; this field is required"
    if kind == "extra_forbidden":
        known = sorted(_at(schema, where[:-1]).get("properties", {}))
        return f"unknown field{_did_you_mean(where[-1], known)}; allowed here: {', '.join(known)}"
    if kind in ("enum", "literal_error"):
        values = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        return f"{found}{_did_you_mean(error['input'], values)}; allowed: {', '.join(values)}"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return f"{found}; allowed: {_PATTERNS[context['pattern']]}"
    if kind == "string_type" and isinstance(error["input"], bool | int | float):
        return f"{found}; allowed: text; put it in quotes"
    if kind in _WORDS:
        return f"{found}; allowed: {_WORDS[kind]}"
    if allowed.get("pattern") == _LIMIT:
        return f"{found}; allowed: a limit in quotes: {LIMITS}"
    if kind == "model_type":
        return f"{found}; allowed: a mapping with {', '.join(allowed.get('properties', {})) or 'fields'}"
    wanted = re.sub(r"^(Input|Value|String|Tuple) should ", "should ", error["msg"])
    wanted = re.sub(r" after validation, not \d+$", "", wanted)
    return f"{found}; {wanted.replace('tuple', 'list').replace('array', 'list')}"


def _pattern(text: Any) -> str:
    """The regular expression of one of the plan's text types."""
    return str(get_args(text)[1].pattern)


SLUG_ALLOWED = "2 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen"
_PATTERNS = {
    _pattern(Slug): SLUG_ALLOWED,
    _pattern(Identity): "an e-mail address such as name@example.com",
    _pattern(Text): "text without control characters",
    _pattern(Role): "lower-case letters and underscores, such as finance_owner",
}


_LIMIT = TypeAdapter(Limit).json_schema()["pattern"]

_WORDS = {
    "bool_type": "true or false",
    "date_parsing": "a date such as 2026-01-31",
    "date_type": "a date such as 2026-01-31",
    "datetime_parsing": "a moment with its time zone, such as 2026-01-31T00:00:00Z",
    "datetime_type": "a moment with its time zone, such as 2026-01-31T00:00:00Z",
    "float_type": "a number",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "time_delta_type": "a duration such as 90d, 2w, 36h, 30m or 1d12h",
    "timezone_aware": "a moment with its time zone, such as 2026-01-31T00:00:00Z",
    "tuple_type": "a list",
}


def _meant(error: ErrorDetails, schema: Schema) -> Where | None:
    """The field that a misspelt key stands for."""
    where = tuple(error["loc"])
    parent = _at(schema, where[:-1])
    close = difflib.get_close_matches(str(where[-1]), sorted(parent.get("properties", {})), 1)
    return (*where[:-1], close[0]) if close else None


def _did_you_mean(found: Any, allowed: list[str]) -> str:
    close = difflib.get_close_matches(str(found), allowed, 1)
    return f", did you mean {close[0]}?" if close else ""


def _found(value: Any) -> str:
    """A value of the file in a few words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...") if value else "empty text"
        case dict():
            return "a mapping"
        case _:
            return "a list" if value else "an empty list"


def _at(schema: Schema, where: Where) -> Schema:
    """The part of the schema that describes a place; empty where it describes nothing."""
    here = _resolved(schema, schema)
    for step in where:
        of_key = here.get("properties", {}).get(step, here.get("additionalProperties"))
        found = here.get("items") if isinstance(step, int) else of_key
        here = _resolved(schema, found if isinstance(found, dict) else {})
    return here


def _resolved(schema: Schema, part: Schema) -> Schema:
    """Through references, and past the null of an optional field."""
    choices = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(choices) == 1:
        return _resolved(schema, choices[0])
    if "$ref" in part:
        return _resolved(schema, schema["$defs"][part["$ref"].rsplit("/", 1)[-1]])
    return part
