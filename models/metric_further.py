"""Further guardrails of the catalogue, which a plan may name and need not answer for."""

from __future__ import annotations

from models.metric_terms import (
    COUNT,
    MONEY,
    PERCENT,
    Block,
    Defaults,
    Direction,
    MetricName,
    MetricSpec,
    MetricUse,
    NoValue,
    Scale,
    part,
)

PARTNER_CHURN = MetricSpec(
    name=MetricName.PARTNER_CHURN,
    title="Partner churn",
    unit="%",
    direction=Direction.LOWER,
    use=MetricUse.GUARDRAIL,
    owner_role="programme_owner",
    formula="partners lost in the window / partners at its start",
    fact="partner at the window's start",
    belongs_by="the day a partner leaves; who was there at the start stays in the denominator",
    reads=("partner",),
    block=Block.TENURE,
    scale=Scale.SHARE,
    framework=False,
    grows_with_window=True,
    parts=(
        part("at_start", COUNT, "the denominator: partners at the window's start"),
        part("lost", COUNT, "the numerator: of them, those who left by its end"),
        part("joined", COUNT, "left out: became partners in the window"),
        part("left_before", COUNT, "left out: had left by the window's start"),
    ),
    no_value=(NoValue.NO_DATA, NoValue.NOBODY_AT_START),
    defaults=Defaults(
        pauses_unless=("<= 10",),
        warns_unless=("<= 5",),
        partners=20,
        facts=20,
        freshness="100d",
        variation="not measured; below 5 percent is called good and above 10 alarming",
        least_spread=4,
        note="in a cohort of twelve one partner is 8 percent: a small cohort says nothing here",
    ),
)

DISCOUNT_LEAKAGE = MetricSpec(
    name=MetricName.DISCOUNT_LEAKAGE,
    title="Discount leakage",
    unit="%",
    direction=Direction.LOWER,
    use=MetricUse.GUARDRAIL,
    owner_role="finance_owner",
    formula="discount given / list value",
    fact="sourced line with a list value",
    belongs_by="transaction date, of returns their own",
    reads=("partner_transaction", "fx_rate"),
    scale=Scale.PERCENT,
    framework=False,
    parts=(
        part("list_value", MONEY, "the denominator: list value of sales less that of returns"),
        part("discount", MONEY, "the numerator: list value less net amount"),
        part("lines", COUNT, "sales and returns with a list value"),
        part("lines_without_list", COUNT, "left out: lines of which the net amount alone is known"),
        part("discounted_lines", COUNT, "sales below list"),
        part("listed", PERCENT, "lines with a list value / all lines; below 80 there is no value", derived=True),
        part("discounted", PERCENT, "sales below list / lines with a list value", derived=True),
        part("missing_fx", COUNT, "lines without a rate for their month"),
        part("over_credited", COUNT, "lines whose shares add up to more than one"),
    ),
    no_value=(
        NoValue.NO_DATA,
        NoValue.MISSING_FX_RATE,
        NoValue.OVER_CREDITED,
        NoValue.LOW_COVERAGE,
        NoValue.NO_LIST_VALUE,
    ),
    defaults=Defaults(
        pauses_unless=("<= +1pp",),
        warns_unless=("<= +0.5pp",),
        partners=10,
        facts=30,
        freshness="21d",
        variation="0.1 to 0.2 percent in calm years; 1.0 to 1.4 where margin fell by 5 to 9 points",
        least_spread=2,
        note="against the baseline: what is usual differs by trade. Whose authority a discount exceeds is in no fact",
    ),
)

FURTHER = (PARTNER_CHURN, DISCOUNT_LEAKAGE)
