"""Writes a plan as YAML with comments, as people edit it: what says nothing is left out, each reason by its field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from drawing.svg import plain
from models.plan import RolloutPlan

WIDE = 118
_FLOW = 96
"""Characters up to which a value stands on one line."""

Reasons = Mapping[str, tuple[str, ...]]


def plan_text(plan: RolloutPlan, head: Iterable[str], reasons: Reasons) -> str:
    """The plan's text.

    Args:
        head: comments before all else.
        reasons: comments by dotted path of the field they stand by.
    """
    data = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    lines = [*_comments(head, "")]
    for name, value in data.items():
        lines += _field(name, value, name, "", reasons)
    return "\n".join(lines) + "\n"


def _comments(told: Iterable[str], indent: str) -> Iterator[str]:
    """Comments that cannot end before their line does, whatever stands in them."""
    for one in told:
        text = " ".join(plain(one).split())
        yield from textwrap.wrap(text, WIDE, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ")


def _field(name: str, value: Any, path: str, indent: str, reasons: Reasons) -> Iterator[str]:
    yield from _comments(reasons.get(path, ()), indent)
    short = _flow(value)
    inner = any(one.startswith(f"{path}.") for one in reasons)
    if not inner and "\n" not in short and len(indent) + len(name) + len(short) <= _FLOW:
        yield f"{indent}{name}: {short}"
    elif isinstance(value, dict):
        yield f"{indent}{name}:"
        for key, part in value.items():
            yield from _field(key, part, f"{path}.{key}", f"{indent}  ", reasons)
    elif isinstance(value, list):
        yield f"{indent}{name}:"
        for place, part in enumerate(value):
            yield from _item(part, f"{path}.{place}", f"{indent}  ", reasons)
    else:
        yield from _long(name, value, indent)


def _item(value: Any, path: str, indent: str, reasons: Reasons) -> Iterator[str]:
    short = _flow(value)
    inner = any(one == path or one.startswith(f"{path}.") for one in reasons)
    if not isinstance(value, dict) or (not inner and len(indent) + len(short) <= _FLOW):
        yield f"{indent}- {short}"
        return
    begun = False
    for key, part in value.items():
        for line in _field(key, part, f"{path}.{key}", f"{indent}  ", reasons):
            if begun:
                yield line
            elif line.lstrip().startswith("#"):
                yield line.removeprefix("  ")
            else:
                begun = True
                yield f"{indent}- {line.lstrip()}"


def _flow(value: Any) -> str:
    """A value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _long(name: str, value: Any, indent: str) -> Iterator[str]:
    text = yaml.safe_dump({name: value}, allow_unicode=True, sort_keys=False, width=WIDE - len(indent))
    yield from (f"{indent}{line}" if line else line for line in text.rstrip("\n").split("\n"))
