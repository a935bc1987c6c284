"""What was agreed of a metric, as people write it."""

from __future__ import annotations

from console.pages.words import Words


def limit_words(words: Words, limit: str) -> str:
    """What was agreed: `>= -5pp` is against the baseline; what is agreed of a change says so itself."""
    told = spelled(limit)
    if limit[:1] in "<>" and limit.endswith(("pp", "%")):
        return words("%(limit)s against the baseline", limit=told)
    return told


def spelled(limit: str) -> str:
    """A threshold with the signs that people write."""
    return limit.replace(">=", "≥").replace("<=", "≤").replace("-", "\N{MINUS SIGN}")
