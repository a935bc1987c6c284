"""The past of a metric as a table of numbers: per-partner sums of blocks one after the other, ready to be resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judgement.estimate import Floats
from judgement.sums import arm, form_of, is_relative
from judgement.values import group_value
from models.evidence import PartnerReading
from models.metric import CATALOGUE, Block, MetricName, NoValue

WEEK = 7


UNUSABLE = frozenset({NoValue.MISSING_FX_RATE, NoValue.OVER_CREDITED, NoValue.UNBUDGETED_SPEND, NoValue.NOT_A_NUMBER})
"""Reasons for no value that make a block wrong, and not merely empty."""


class Panel(NamedTuple):
    """`sums` of shape (blocks, partners, sums of the metric's form), the oldest block first; `facts` of (blocks,
    partners). The blocks are whole weeks: seven days each, or one reading."""

    metric: MetricName
    sums: Floats
    facts: Floats

    @property
    def block(self) -> Block:
        return CATALOGUE[self.metric].block

    @property
    def per_week(self) -> int:
        """Blocks of a week."""
        return 1 if self.block is Block.STATE else WEEK

    @property
    def weeks(self) -> int:
        return len(self.sums) // self.per_week

    @property
    def partners(self) -> int:
        return int(self.sums.shape[1])

    def of(self, partners: Sequence[int]) -> Panel:
        """The same of some of its partners, by their places."""
        return self._replace(sums=self.sums[:, list(partners)], facts=self.facts[:, list(partners)])

    def keeping(self, weeks: Sequence[int]) -> Panel:
        """The same of some of its weeks."""
        blocks = [week * self.per_week + one for week in weeks for one in range(self.per_week)]
        return self._replace(sums=self.sums[blocks], facts=self.facts[blocks])


def panel_of(metric: MetricName, blocks: Sequence[Sequence[PartnerReading]], partners: Sequence[str]) -> Panel:
    """The blocks' rows as a table; a partner without a row in a block has nothing in it."""
    place = {partner: at for at, partner in enumerate(partners)}
    sums = np.zeros((len(blocks), len(partners), arm(metric, (), ()).before.shape[-1]))
    facts = np.zeros((len(blocks), len(partners)))
    for number, rows in enumerate(blocks):
        own = sorted((row for row in rows if row.partner_id in place), key=lambda row: row.partner_id)
        places = [place[row.partner_id] for row in own]
        sums[number, places] = arm(metric, own, ()).before
        facts[number, places] = [row.facts for row in own]
    return Panel(metric, sums, facts)


def wrong_blocks(metric: MetricName, blocks: Sequence[Sequence[PartnerReading]]) -> Mapping[int, str]:
    """Blocks in which no number can be believed, each with its reason."""
    found = {number: group_value(metric, rows).reason for number, rows in enumerate(blocks)}
    return {number: reason for number, reason in found.items() if reason in UNUSABLE and reason}


def values(panel: Panel, total: Floats, facts: Floats) -> Floats:
    """The metric of sums over partners, of shape (..., sums), as the product shows it; NaN where it has none.

    `value won x deals won / days of cycle` of pipeline velocity; deals that were all lost are nothing per day.
    """
    with np.errstate(all="ignore"):
        if not is_relative(panel.metric):
            return form_of(panel.metric).value(total)
        speed = total[..., 0] * total[..., 1] / total[..., 2]
    lost = np.where(facts > 0, 0.0, np.nan)
    return np.where(total[..., 1] > 0, speed, lost)
