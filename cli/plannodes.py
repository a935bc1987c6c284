"""YAML as plain data, with the place of every key and value, and without the surprises YAML is known for."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, TypeAlias

import yaml

Where: TypeAlias = "tuple[str | int, ...]"

MAX_DEPTH = 40
"""A plan is seven levels deep."""


class Place(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """Something that is refused. `spoils`: its value was left out, so what follows from its absence says nothing."""

    where: Where
    place: Place
    message: str
    spoils: bool = True


class Read:
    """A document: its value as JSON data, where everything stands, and what had to be left out (null instead)."""

    def __init__(self) -> None:
        self.value: Any = None
        self.faults: list[Fault] = []
        self._places: dict[Where, Place] = {}
        self._keys: dict[Where, Place] = {}

    def note(self, where: Where, place: Place, key: Place | None = None) -> None:
        """Remember a place, and that of its key; the first one counts."""
        self._places.setdefault(where, place)
        if key:
            self._keys.setdefault(where, key)

    def place(self, where: Where) -> Place:
        """Where something stands, or would stand: the place of its nearest ancestor that is there."""
        while where and where not in self._places:
            where = where[:-1]
        return self._places.get(where, Place(1, 1))

    def key_place(self, where: Where) -> Place:
        """Where the key stands; that of the value for what has none."""
        return self._keys.get(where) or self.place(where)


def read_nodes(text: str) -> Read:
    """Read one document.

    Booleans are `true` and `false` and nothing else (a region `NO` stays text), numbers are decimal (`007` stays
    text), dates stay text. Aliases, merge keys, tags, duplicate keys, and numbers that are not finite are refused.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    read = Read()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (ValueError, OverflowError) as error:
        # The scanner lets a few escapes through that Python cannot turn into a character.
        raise yaml.YAMLError(f"an escape or number that cannot be read ({error})") from error
    if node is not None:
        read.value = _value(node, (), read)
    return read


_ALIAS = "!alias"
_CORE = "tag:yaml.org,2002:"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class _Loader(yaml.SafeLoader):
    """Composes nodes; keeps aliases as nodes of their own, and nesting within reason."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # its stubs have no types
            return yaml.ScalarNode(_ALIAS, event.anchor, event.start_mark, event.end_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stubs have no types
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
for _kind, _expression, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"{_CORE}{_kind}", re.compile(rf"(?:{_expression.pattern})\Z"), _first)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _value(node: yaml.Node, where: Where, read: Read) -> Any:
    read.note(where, _place(node))
    kind = node.tag.removeprefix(_CORE)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node, where, read)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(item, (*where, index), read) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.ScalarNode) or kind not in ("str", "null", "bool", "int", "float", _ALIAS):
        told = f"the tag {node.tag.replace(_CORE, '!!')} is not supported; write plain values"
        read.faults.append(Fault(where, _place(node), told))
        return None
    value, problem = _scalar(node, kind)
    if problem:
        read.faults.append(Fault(where, _place(node), problem))
    return value


def _mapping(node: yaml.MappingNode, where: Where, read: Read) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key_node, item in node.value:
        key, problem = _key(key_node)
        inside: Where = (*where, key)
        if not problem and key in value:
            told = f"the key {key!r} appears twice; it was first given on line {read.key_place(inside).line}"
            read.faults.append(Fault(inside, _place(key_node), told, spoils=False))
            continue
        if problem:
            read.faults.append(Fault(inside, _place(key_node), problem))
            continue
        # A container is best shown by its key, a scalar by itself.
        read.note(inside, _place(item if isinstance(item, yaml.ScalarNode) else key_node), _place(key_node))
        value[key] = _value(item, inside, read)
    return value


def _key(node: yaml.Node) -> tuple[str, str | None]:
    """The key as text, and what is wrong with it."""
    if not isinstance(node, yaml.ScalarNode):
        return "?", "a key must be plain text"
    if node.tag == _ALIAS:
        return f"*{node.value}", "aliases are not supported; write the key out"
    if node.value == "<<" and node.style is None:
        return "<<", "merge keys are not supported; write the fields out"
    text, problem = _text(node.value)
    return text or "", problem


def _text(value: str) -> tuple[str | None, str | None]:
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, "half of a surrogate pair is not a character"
    control = _CONTROL.search(value)
    return (None, f"the character U+{ord(control[0]):04X} is not allowed") if control else (value, None)


def _scalar(node: yaml.ScalarNode, kind: str) -> tuple[Any, str | None]:
    """The value, and what is wrong with it."""
    text = node.value
    if kind == _ALIAS:
        return None, f"aliases are not supported; write the value of *{text} out"
    if kind == "null":
        return None, None
    if kind == "bool" and _BOOL.fullmatch(text):
        return text.lower() == "true", None
    if kind == "int" and _INT.fullmatch(text):
        return (int(text), None) if len(text) <= 18 else (None, "the number has more than 17 digits")
    if kind == "float" and _FLOAT.fullmatch(text):
        number = float(text) if text[-1] not in "fFnN" else math.inf
        return (number, None) if math.isfinite(number) else (None, f"found {text}; a number must be finite")
    if kind == "str":
        return _text(text)
    return None, f"{text!r} is not of the type its tag !!{kind} says"
