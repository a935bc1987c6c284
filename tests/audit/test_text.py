"""The log for people: what somebody wrote is shown as it is, and neither hides nor becomes markup."""

from __future__ import annotations

from audit.text import plain


def test_what_somebody_wrote_is_one_line_without_markup() -> None:
    assert plain("**bold**\n# head | cell <b>") == r"\*\*bold\*\* \# head \| cell \<b\>"


def test_nothing_hides_in_it_or_turns_the_direction_of_writing() -> None:
    assert plain("not\u202edevorppa\u202c\u200b\x1b[31m") == r"not devorppa \[31m"
    assert plain("承認しました。é") == "承認しました。é"
