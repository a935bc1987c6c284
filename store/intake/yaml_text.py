"""YAML as plain text values, with the line of every value, and duplicate keys refused."""

from __future__ import annotations

from typing import Any, TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = "str | list[Plain] | dict[str, Plain]"


class YamlRefused(ValueError):
    """The text is not the YAML we read. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _Loader(yaml.SafeLoader):
    """Refuses aliases: they make a value stand somewhere else than where it is used, or contain itself."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stubs have no types
            raise YamlRefused("aliases are not supported; write the value out", mark.line + 1, mark.column + 1)
        return super().compose_node(parent, index)


def read_yaml(text: str) -> tuple[Plain, dict[Path, tuple[int, int]]]:
    """The document's value, and for every path in it the line and column it stands at, counted from 1.

    Every scalar stays text: the country code `NO` must not turn into a boolean, nor the key `007` into a number.

    Raises:
        YamlRefused: broken YAML, a duplicate key, an alias, or nothing at all.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except YamlRefused:
        raise
    except RecursionError as error:
        raise YamlRefused("nested far too deep", 1, 1) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlRefused(f"not valid YAML: {error.problem or error}", line, column) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The scanner lets a few escapes through that Python cannot turn into a character.
        raise YamlRefused(f"not valid YAML: {error}", 1, 1) from error
    if node is None:
        raise YamlRefused("the file is empty", 1, 1)
    places: dict[Path, tuple[int, int]] = {}
    return _plain(node, (), places), places


def _place(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _text(node: yaml.ScalarNode) -> str:
    """An escape can write what no text holds."""
    text = str(node.value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise YamlRefused(f"holds half a character: {text[error.start]!a}", *_place(node)) from error
    return text


def _plain(node: Any, path: Path, places: dict[Path, tuple[int, int]]) -> Plain:
    places.setdefault(path, _place(node))
    if isinstance(node, yaml.ScalarNode):
        return _text(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), places) for index, item in enumerate(node.value)]
    value: dict[str, Plain] = {}
    for key_node, item in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlRefused("a key must be plain text", *_place(key_node))
        key = _text(key_node)
        if key in value:
            first = places[(*path, key)][0]
            raise YamlRefused(f"the key {key!r} appears twice; it was first given on line {first}", *_place(key_node))
        places[(*path, key)] = _place(key_node)
        value[key] = _plain(item, (*path, key), places)
    return value
