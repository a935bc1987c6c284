"""Writes docs/data-fields.md from the kinds of facts: `python -m store.intake.reference`."""

from __future__ import annotations

from pathlib import Path

from store.intake.kinds import KINDS, FactKind, FieldSpec, KindSpec
from store.intake.meanings import ABOUT, FIELDS, SHARED

FIELDS_FILE = Path(__file__).parents[2] / "docs" / "data-fields.md"

_HEAD = """\
# The fields of facts

Written by `python -m store.intake.reference` from the kinds themselves; a test fails when it is stale. How a file
becomes facts stands in [data.md](data.md). `source_id` is the source's own key, with the mapping's `source_system`: a
row with the same two is the same fact. `known_at` is filled by the mapping's rule where the mapping does not name a
column. Where `..._at` says when something happened later, `..._known_at` beside it says when that became known.
"""


def fields_text() -> str:
    """The page: a table per kind, in the order in which kinds can be imported."""
    return _HEAD + "".join(_section(spec) for spec in KINDS.values())


def meaning(kind: FactKind, field: str) -> str:
    """What a field means in its kind.

    Raises:
        KeyError: nobody has written it down.
    """
    if field.endswith("_known_at"):
        return f"when that became known: `{field.removesuffix('_known_at')}_at`"
    return FIELDS[kind].get(field) or SHARED[field]


def _section(spec: KindSpec) -> str:
    rows = "".join(
        f"| `{field.name}` | {_taken(field)} | {_default(field, spec)} | {meaning(spec.kind, field.name)} |\n"
        for field in spec.fields
    )
    return (
        f"\n## `{spec.kind}`\n{ABOUT[spec.kind]} Table `{spec.table}`.\n\n"
        f"| field | takes | where empty | meaning |\n| --- | --- | --- | --- |\n{rows}"
    )


def _taken(field: FieldSpec) -> str:
    taken = ", ".join(f"`{one}`" for one in field.allowed) or field.type.value
    return f"{taken}; not before `{field.not_before}`" if field.not_before else taken


def _default(field: FieldSpec, spec: KindSpec) -> str:
    if field.required:
        return "**required**"
    if field.name == spec.id_field:
        return "`source_id`"
    if field.name == "known_at":
        return "by the mapping's `known`"
    if field.true_where:
        return "whether `{}` is `{}`".format(*field.true_where)
    return f"`{field.default}`" if field.default is not None else "nothing"


if __name__ == "__main__":
    FIELDS_FILE.write_text(fields_text(), encoding="utf-8")
