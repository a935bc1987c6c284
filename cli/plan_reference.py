"""Writes docs/plan.schema.json and docs/plan-fields.md from the models: `python -m cli.plan_reference`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.plan_metric import LIMITS
from models.plan_rules import RULES

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA_FILE = DOCS / "plan.schema.json"
FIELDS_FILE = DOCS / "plan-fields.md"

Schema: TypeAlias = dict[str, Any]

_HEAD = """\
# The fields of a plan

Written by `python -m cli.plan_reference` from the models themselves; a test fails when it is stale. What the parts do
together stands in [plans.md](plans.md). A field that is not listed here is refused, and so is a key that stands twice.

A **duration** is written `90d`, `2w`, `36h`, `30m` or as a sum such as `1d12h`: whole minutes, a hundred years at most.
A **limit** is written {limits}, in quotes;
a **margin** `5pp` or `10%`. Text holds no control characters, 4000 characters at most.
"""

_RULES_HEAD = """
## Rules across fields
Each is told at its own line and column, all of them at once, as soon as every field by itself can be read.

"""


def schema_text() -> str:
    """The published schema."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema()}
    return json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def fields_text() -> str:
    """The page of fields."""
    schema = _schema()
    quoted = LIMITS.replace(">= 18", "`>= 18`").replace(">= -5%", "`>= -5%`").replace(">= -2pp", "`>= -2pp`")
    sections = "".join(_section(name, part, schema) for name, part in _parts(schema))
    rules = "".join(f"- {_first_sentence(rule)}\n" for rule in RULES)
    return _HEAD.format(limits=quoted) + sections + _metrics() + _RULES_HEAD + rules


def _schema() -> Schema:
    return RolloutPlan.model_json_schema(by_alias=True)


def _parts(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The plan, then every mapping inside it in the order in which it is met; where it stands is its name."""
    met: set[str] = set()
    waiting = [("The plan", schema)]
    while waiting:
        name, part = waiting.pop(0)
        yield name, part
        inside = []
        for field, found in part["properties"].items():
            reference = _reference(found)
            target = schema["$defs"].get(reference, {})
            if reference and reference not in met and "properties" in target:
                met.add(reference)
                path = field if name == "The plan" else f"{name}.{field}"
                inside.append((f"{path}[]" if found.get("type") == "array" else path, target))
        waiting = inside + waiting


def _reference(found: Schema) -> str | None:
    """The definition that a field, or each item of it, refers to."""
    for one in (found, found.get("items", {}), *found.get("anyOf", ())):
        if "$ref" in one:
            return str(one["$ref"]).rsplit("/", 1)[-1]
    return None


def _section(name: str, part: Schema, schema: Schema) -> str:
    title = name if name == "The plan" else f"`{name}`"
    told = " ".join(part.get("description", "").split())
    required = part.get("required", ())
    rows = "".join(
        f"| `{field}` | {_type(found, schema)} | {_default(found, required=field in required)} "
        f"| {found['description']} |\n"
        for field, found in part["properties"].items()
    )
    return f"\n## {title}\n{told}\n\n| field | takes | default | meaning |\n| --- | --- | --- | --- |\n{rows}"


def _type(found: Schema, schema: Schema) -> str:
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        return _type(choices[0], schema)
    if "$ref" in found:
        target = schema["$defs"][found["$ref"].rsplit("/", 1)[-1]]
        return " \\| ".join(f"`{one}`" for one in target["enum"]) if "enum" in target else "a mapping"
    if found.get("type") == "array":
        least = f", {found['minItems']} at least" if found.get("minItems") else ""
        return f"a list of {_plural(_type(found.get('items', {}), schema))}{least}"
    if "const" in found:
        return f"`{found['const']}`"
    if "enum" in found:
        return " \\| ".join(f"`{one}`" for one in found["enum"])
    return _scalar(found)


def _scalar(found: Schema) -> str:
    pattern, kind = found.get("pattern", ""), found["type"]
    if kind == "string":
        for sign, told in _TOLD_BY_SIGN:
            if sign in pattern:
                return told
        return {"date": "a date", "date-time": "a moment"}.get(
            found.get("format", ""), "an e-mail address" if "@" in pattern else "text"
        )
    if kind == "boolean":
        return "`true` \\| `false`"
    told = "a whole number" if kind == "integer" else "a number"
    bounds = [("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below")]
    return " ".join([told, *(f"{word} {found[name]:g}" for name, word in bounds if name in found)])


_TOLD_BY_SIGN = (
    ("[wdhm]", "a duration"),
    ("(>=|<=", "a limit"),
    ("(%|pp)", "a margin"),
    ("a-z0-9-", "a name"),
    ("a-z_", "a role"),
)


def _plural(one: str) -> str:
    return {"a mapping": "mappings", "text": "texts", "a limit": "limits", "a role": "roles"}.get(one, one)


def _default(found: Schema, *, required: bool) -> str:
    if required:
        return "**required**"
    value = found.get("default")
    if value is None:
        return "none"
    if value == []:
        return "empty"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return f"`{text}`"


def _metrics() -> str:
    rows = "".join(
        f"| `{one.name.value}` | {one.title} | {one.unit} | {one.use.value} | {one.direction.value} "
        f"| {'answers for it' if one.framework else 'may name it'} |\n"
        for one in CATALOGUE.values()
    )
    head = "| name | is | in | use | good | every plan |\n| --- | --- | --- | --- | --- | --- |\n"
    told = "What each of them counts, and when it has no value, stands in [metrics.md](metrics.md)."
    return f"\n## The metrics\n{told}\n\n{head}{rows}"


def _first_sentence(rule: Any) -> str:
    """What a rule refuses, as it says itself."""
    return " ".join((inspect.getdoc(rule) or "").split("\n\n")[0].split())


def write() -> None:
    """Bring both files up to date."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    FIELDS_FILE.write_text(fields_text(), encoding="utf-8")


if __name__ == "__main__":
    write()
