"""Texts put into templates as they are compiled say what gettext would have said, and nobody's words become HTML."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment
from markupsafe import Markup

from console.pages.render import HERE, environment
from console.pages.settled import Settled
from console.pages.words import LANGUAGES, words_in

VALUES = {
    "word": "Audit",
    "name": "<b>Ann & Bo</b>",
    "one": SimpleNamespace(due="<i>", late=True),
    "safe_one": Markup("<time>7</time>"),
}

SOURCES = [
    '{{ _("Inbox") }}',
    '<p title="{{ _("Pages") }}">{{ _("Sign out") }}</p>',
    '{{ _("due %(at)s", at=name) }}',
    '{{ _("due %(at)s", at=safe_one) }}',
    '{{ _("due %(at)s", at=one.due | upper if one.late else _("any")) }} · {{ _("Since") }}',
    '{{ _("Paused on %(at)s for %(span)s", at=_("due %(at)s", at=name), span=[name, (1 + 2)] | join(", ")) }}',
    '{{ _("Programme time %(at)s", at={"a": name}["a"]) }}',
    '{% for address, told in (("/", _("Inbox")), ("/audit", _("Audit"))) %}{{ address }}={{ told }};{% endfor %}',
    '{% set it = _("Inbox") if one.late else _("Audit") %}{{ it }}{{ it | length }}',
    '{% macro shown(text) %}<p>{{ text }}</p>{% endmacro %}{{ shown(_("Nothing has been measured yet.")) }}',
    '{{ _("100%%") }} {{ _("%(num)s of 100%%", num=name) }}',
    '{{ _("In" "box") }} {{ _(word) }} {{ gettext("Inbox") }} {{ ngettext("%(num)s rollout", "%(num)s rollouts", 2) }}',
    "{{ _('a & b <c>') }}",
]


def as_asked(language: str) -> Environment:
    """An environment that asks gettext whenever a text is shown."""
    made = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    made.install_gettext_translations(words_in(language).translations, newstyle=True)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("source", SOURCES, ids=map(str, range(len(SOURCES))))
def test_a_text_is_the_one_that_gettext_says_and_its_values_are_escaped(source: str, language: str) -> None:
    told = environment(language).from_string(source).render(VALUES)
    assert told == as_asked(language).from_string(source).render(VALUES)
    assert "<b>" not in told
    assert "<i>" not in told.lower()


def test_every_page_compiles_in_every_language_and_asks_for_no_plain_text_when_it_is_shown() -> None:
    asked: list[str] = []

    class Asked:
        def gettext(self, text: str) -> str:
            asked.append(text)
            return text

        def ngettext(self, one: str, several: str, number: int) -> str:
            return one if number == 1 else several

    made: Any = Environment(autoescape=True, extensions=["jinja2.ext.i18n", Settled])
    made.install_gettext_translations(Asked(), newstyle=True)
    made.extend(translations=Asked())
    page = made.from_string('{{ _("Inbox") }} {{ _("due %(at)s", at=name) }}')
    assert asked == ["Inbox", "due %(at)s"]
    assert page.render(name="<b>") == "Inbox due &lt;b&gt;"
    assert asked == ["Inbox", "due %(at)s"]
    for language in LANGUAGES:
        for file in sorted((HERE / "templates").glob("*.html")):
            environment(language).get_template(file.name)
