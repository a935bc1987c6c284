"""Questions of every kind that are asked of a change, by name: each for any method."""

from __future__ import annotations

from judgement.material import Asked, Sides, Stretch
from models.evidence import PartnerReading
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin
from tests.judgement.test_material import BEGAN, DAY, MDF, VELOCITY, answered, asked, deals, row


def questions(method: int) -> dict[str, Asked]:
    """Each by the method of that number."""
    found = {
        "few, as before": asked(0.9, partners=8),
        "few, worse": asked(0.8, partners=8),
        "few, much worse": asked(0.6, partners=8),
        "many, as before": asked(0.9, partners=80, days=60),
        "a little worse": asked(0.86, partners=40),
        "strictly": asked(0.7, rule=ChangeRule(margin=Margin(number=5), strict=True)),
        "part of the baseline": asked(0.85, rule=ChangeRule(margin=Margin(number=5, relative=True))),
        "lower is better": asked(0.99, metric=MetricName.DISCOUNT_LEAKAGE),
        "without a planned end": asked(0.8, ends=None),
        "after the planned end": asked(0.85, days=120),
        "half of the risk": asked(0.8, share=0.5),
        "enlarged": _enlarged(),
        "nobody beside": _alone(),
        "velocity": _velocity(1.0),
        "velocity falls": _velocity(0.5),
        "both sides": _both(),
        "too young": asked(0.5, days=6),
    }
    return {name: one._replace(rule=one.rule.model_copy(update={"method": method})) for name, one in found.items()}


def _enlarged() -> Asked:
    one = asked(0.9, partners=12, days=50)
    late = Sides(answered("p", 0.6, 12, 40, 3), answered("c", 0.9, 60, 40, 3))
    return one._replace(stretches=[*one.stretches, Stretch(BEGAN + 30 * DAY, late)], enlargements=2)


def _alone() -> Asked:
    one = asked(0.8, partners=12)
    rows = one.stretches[0].rows
    return one._replace(
        before=Sides(one.before.cohort, ()), stretches=[Stretch(BEGAN, Sides(rows.cohort, ()))], baseline_days=30
    )


def _velocity(part: float) -> Asked:
    rule = ChangeRule(margin=Margin(number=15, relative=True))
    now = Sides(deals("p", 10, 30, part, 2), deals("c", 40, 30, 1.0, 2))
    return asked(
        0.9,
        metric=VELOCITY,
        before=Sides(deals("p", 10, 56), deals("c", 40, 56)),
        stretches=[Stretch(BEGAN, now)],
        rule=rule,
    )


def _both() -> Asked:
    def spent(of: int) -> list[PartnerReading]:
        return [row(f"x{n}", 1000.0 + 10 * (n % of), 1000.0) for n in range(30)]

    before, now = (Sides(one[:15], one[15:]) for one in (spent(7), spent(5)))
    return asked(0.9, metric=MDF, before=before, stretches=[Stretch(BEGAN, now)])
