"""What a table asks of its rows, in words: its own rules are written for PostgreSQL."""

from __future__ import annotations

import re
from typing import Final

_CAST: Final = re.compile(r"::[a-z]+(?:\[\])?")
# Parentheses around nothing but a word, unless they hold what a function is given.
_PLAIN: Final = re.compile(r"(?<!\w)\((\w+|'[^']*')\)")

_WORDS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\(?\((\w+) IS NULL\) = \((\w+) IS NULL\)\)?", r"\1 and \2, or neither"),
        (r"\(?\((\w+) IS NOT NULL\) OR \((\w+) IS NULL\)\)?", r"\2 only where there is \1"),
        (r"\(?\((\w+) IS NULL\) OR \((\w+) IS NULL\)\)?", r"\1 or \2, not both"),
        (r"\(?\((\w+) (?:<>|IS DISTINCT FROM) '(\w+)'\) OR \((\w+) IS NOT NULL\)\)?", r"\3 where \1 is '\2'"),
        (r"\(?\((\w+) = '(\w+)'\) = \((\w+) IS NOT NULL\)\)?", r"\3 where \1 is '\2', and nowhere else"),
        (r"\((\w+) <> ''\)", r"\1 that is not empty"),
        (r"\((\w+ [<>]=? \w+)\)", r"\1"),
        (r"\(\((\w+ [<>]=? \w+)\) AND \((\w+ [<>]=? '?\w+'?)\)\)", r"\1 and \2"),
        (r"CASE kind WHEN 'sale' THEN .*", "sales of 0 or more, returns and credits of 0 or less"),
        (r"are_hours\(.*", "hours on at least one day, such as 09:00-17:30"),
    )
)


def in_words(expression: str) -> str:
    """A check of a table, as `pg_get_expr` tells it, as what is allowed; one that none of these is as it stands."""
    text = _CAST.sub("", " ".join(expression.split()))
    while (plain := _PLAIN.sub(r"\1", text)) != text:
        text = plain
    for pattern, words in _WORDS:
        if (found := pattern.fullmatch(text)) is not None:
            return found.expand(words)
    return text
