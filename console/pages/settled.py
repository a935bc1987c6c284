"""Puts the texts of one language into templates as they are compiled, so that a page asks gettext for none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

_OPENING = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_CALLS = (["name", "lparen", "string", "rparen"], ["name", "lparen", "string", "comma"])


class Settled(Extension):
    """`_("text")` becomes the text itself, and `_("until %(at)s", at=x)` becomes `"text" % {"at": x}`.

    For an environment of one language, beside `jinja2.ext.i18n`, whose gettext is asked once instead of each time. What
    is no plain text is left to be asked for when it is shown. Texts count as ours and values are escaped, as there.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The tokens of a template with its texts in their places."""
        return self._walk(list(stream))

    def _walk(self, tokens: Sequence[Token]) -> Iterator[Token]:
        place = 0
        while place < len(tokens):
            end = _end_of_call(tokens, place)
            if end is None:
                yield tokens[place]
                place += 1
            else:
                yield from self._settled(tokens[place + 2], tokens[place + 3 : end])
                place = end + 1

    def _settled(self, text: Token, values: Sequence[Token]) -> Iterator[Token]:
        environment: Any = self.environment
        told: str = environment.translations.gettext(text.value)
        if not values:
            # There, too, `%%` stands for the sign itself where no value follows.
            told = told % {}
        yield from _tokens(text.lineno, lparen="(", string=told, pipe="|", name="safe")
        if values:
            yield from _tokens(text.lineno, mod="%", lbrace="{")
            yield from self._walk(list(_pairs(values[1:])))
            yield from _tokens(text.lineno, rbrace="}")
        yield from _tokens(text.lineno, rparen=")")


def _tokens(line: int, **kinds: str) -> Iterator[Token]:
    return (Token(line, kind, value) for kind, value in kinds.items())


def _end_of_call(tokens: Sequence[Token], place: int) -> int | None:
    """Where the call ends that begins here: of `_` with a plain text and values by name; None where none does."""
    kinds = [one.type for one in tokens[place : place + 4]]
    if (
        kinds[:3] != ["name", "lparen", "string"]
        or tokens[place].value != "_"
        or kinds[3:] not in (["rparen"], ["comma"])
    ):
        return None
    depth = 0
    for at in range(place + 3, len(tokens)):
        kind = tokens[at].type
        if depth == 0 and kind == "rparen":
            return at
        if depth == 0 and kind == "comma" and [one.type for one in tokens[at + 1 : at + 3]] != ["name", "assign"]:
            return None
        depth += (kind in _OPENING) - (kind in _CLOSING)
    return None


def _pairs(values: Sequence[Token]) -> Iterator[Token]:
    """`at=x, by=y` as the pairs of a dictionary."""
    depth = 0
    for at, token in enumerate(values):
        following = values[at + 1].type if at + 1 < len(values) else ""
        before = values[at - 1].type if at else "comma"
        if depth == 0 and token.type == "name" and following == "assign" and before == "comma":
            yield Token(token.lineno, "string", token.value)
        elif depth == 0 and token.type == "assign":
            yield Token(token.lineno, "colon", ":")
        else:
            yield token
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
