"""Writes what docs/metrics.md says of each metric from the catalogue itself: `python -m cli.metric_reference`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cli.plan_template import usual_text
from models.base import many
from models.metric import CATALOGUE, WHY_NO_VALUE, Defaults, MetricSpec, NoValue, Part

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
BEGIN, END = "<!-- from the catalogue: python -m cli.metric_reference -->\n", "<!-- end of the catalogue -->\n"
PLAN_BEGIN, PLAN_END = "<!-- from the catalogue, as a plan has them -->\n", "<!-- end of the plan -->\n"


def page_text(page: str) -> str:
    """The page with its two marked parts brought up to date; what stands around them is written by people.

    Raises:
        ValueError: the page has lost the marks of a part.
    """
    for begin, end, told in ((BEGIN, END, catalogue_text()), (PLAN_BEGIN, PLAN_END, plan_text())):
        before, begun, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            raise ValueError(f"{PAGE.name} needs the lines {begin.strip()!r} and {end.strip()!r}")
        page = f"{before}{begin}{told}{end}{after}"
    return page


def plan_text() -> str:
    """What a plan says of the metrics that it need not answer for."""
    named = (usual_text(spec) for spec in CATALOGUE.values() if not spec.framework)
    return f"```yaml\n{''.join(named)}```\n"


def catalogue_text() -> str:
    """What the catalogue says, as Markdown."""
    parts = (_overview(), _defaults(), _reasons(), *(_metric(spec) for spec in CATALOGUE.values()))
    return "\n" + "\n".join("".join(f"{line}\n" for line in part) for part in parts) + "\n"


def _overview() -> Iterator[str]:
    yield from ("## The catalogue", "")
    yield from _table(
        ("metric", "in", "good", "use", "every plan", "owner", "one fact is"),
        (
            (
                f"[`{one.name.value}`](#{one.name.value})",
                one.unit,
                one.direction.value,
                one.use.value,
                "answers for it" if one.framework else "may name it",
                f"`{one.owner_role}`",
                one.fact,
            )
            for one in CATALOGUE.values()
        ),
    )


_DEVIATIONS = """
Where they are not what research on the field came to, and why:

- *Velocity and MDF* also rest on 8 and 5 partners, an *SLA* on 10: an interval over partners needs some. A stop of
  the SLA below 40 is added: a guardrail that only pauses leaves a collapse to whoever answers first.
- *Velocity* asks for 30 closed deals and not for 10 won among them. Without any won its value is 0, which is an
  answer; how many were won stands beside it. That the window is no shorter than three of four cycles is asked by the
  metric itself (`immature`), and so is that 80 percent of a compliance score's weight is assessed.
- *Velocity's* target of 5 percent more is no limit: what must hold is agreed, what is hoped for stands in the plan's
  text.
- *A new critical fail* does not stop a rollout by itself. It is *not met* on whatever sample, which holds the gate,
  and people stop it: a stop cannot be taken back, and a failed check may be mended the same day.
- *MDF below 60 percent* warns from a quarter of its period on and not from three: a warning decides nothing, and what
  is young is in neither sum.
- *Two readings in a row* are what people often agree and not what a new plan begins with: it acts at the first, and
  says so beside the number. An SLA below 70 that acts at once needs no rule of its own then.
- *A closed month* lies in what a margin reads where its window is 62 days longer than its data may be old; `rollouts
  plan validate` warns where it is not. Of a shorter one the days that are there are judged, as agreed.
"""


def _defaults() -> Iterator[str]:
    yield from ("### What people usually agree", "")
    yield "Settings to begin with; `rollouts plan new` writes them, and a plan replaces them. Bounds against the"
    yield "baseline carry a sign. *In a row* is how many readings people wait for; the framework acts at the first."
    yield ""
    yield from _table(
        ("metric", "promotes when", "pauses unless", "warns unless", "stops unless", "rests on", "in a row", "seen"),
        (
            (
                f"`{name.value}`",
                *map(_limits, (one.promotes_when, one.pauses_unless, one.warns_unless, one.stops_unless)),
                f"{one.partners} partners, {one.facts} facts, {_closed(one)}{one.window},"
                f" data {one.freshness} old at most",
                str(one.looks_in_a_row),
                one.variation + (f" ({one.note})" if one.note else ""),
            )
            for name, one in ((name, spec.defaults) for name, spec in CATALOGUE.items())
        ),
    )
    yield from _DEVIATIONS.strip("\n").split("\n")
    yield ""


def _closed(one: Defaults) -> str:
    months = one.closed_months
    return f"{many(months, 'closed month')}, " if months else ""


def _reasons() -> Iterator[str]:
    yield from ("### No value is not zero", "")
    yield "Where there is nothing to divide by there is no value, with a reason, and never zero. No value is"
    yield "*no evidence*: it holds a rollout and never passes it. What is known of both sides and the parts is shown."
    yield ""
    yield from _table(
        ("no value because", "of", "that is"),
        ((f"`{reason.value}`", _owners(reason), told) for reason, told in WHY_NO_VALUE.items()),
    )


def _owners(reason: NoValue) -> str:
    having = [spec for spec in CATALOGUE.values() if reason in spec.no_value]
    return "any" if len(having) in (0, len(CATALOGUE)) else ", ".join(f"`{spec.name.value}`" for spec in having)


def _metric(spec: MetricSpec) -> Iterator[str]:
    yield from (f"### {spec.name.value}", "")
    yield f"**{spec.title}**, in {spec.unit}, {spec.direction.value}: {spec.formula}."
    yield ""
    grows = "; a longer window gives a larger number" if spec.grows_with_window else ""
    yield f"- **Belongs to a window by**: {spec.belongs_by}{grows}."
    yield f"- **A cohort's value** is the {spec.grouping.value}; **one fact** is one {spec.fact}."
    file = f"{spec.name.value}.sql"
    yield f"- **Read from** {', '.join(f'`{table}`' for table in spec.reads)} by"
    yield f"  [{file}](../store/sql/metrics/{file}), definition {spec.definition_version}."
    yield ""
    yield from _table(("part", "in", "is"), ((f"`{one.name}`", one.unit, _meaning(one)) for one in spec.parts))


def _meaning(one: Part) -> str:
    of = " (of the cohort as a whole)" if one.of_group else " (worked out for the cohort)" if one.derived else ""
    return one.meaning + of


def _limits(limits: tuple[str, ...]) -> str:
    return " and ".join(f"`{limit}`" for limit in limits) or "-"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
