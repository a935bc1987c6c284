"""Looks whether a cohort was picked on its last good or bad month: what stood out by luck comes back by itself."""

from __future__ import annotations

import math

import numpy as np

from judgement.estimate import Floats
from judgement.panel import Panel
from judgement.resample import draw_weeks
from judgement.sums import form_of, is_relative
from models.power import Picked

LAST = 4
"""Weeks that are held against all earlier ones."""

GROUPS, REPEATED = 2000, 400
USUAL = 0.99
ENOUGH = 1.5
"""Times as many partners as the cohort has, among whom groups are drawn: of fewer, all groups are nearly the same."""


def picked(pilot: Panel, others: Panel | None, rng: np.random.Generator) -> Picked | None:
    """How much the cohort's last four weeks rose above its earlier ones, beside equally large random groups of eligible
    partners and beside what is usual for itself. None where the weeks are too few or have no value.

    A rise and not a level: a cohort of better partners is no chance, one that has just been better is. With F the
    metric's form over a group's sums it is `F(last) - F(earlier)`; random groups are drawn without replacement.
    """
    weeks = pilot.weeks
    if weeks < 2 * LAST:
        return None
    whole = pilot._replace(sums=pilot.sums.sum(axis=1, keepdims=True), facts=pilot.facts.sum(axis=1, keepdims=True))
    moved = _rise(whole)
    usual = np.abs([_rise(whole.keeping(one.tolist())) for one in draw_weeks(rng, pilot, weeks, REPEATED)])
    if not np.isfinite(moved) or not np.isfinite(usual).any():
        return None
    ranks = _groups(pilot, others, rng)
    rank = float(np.mean(ranks < moved) + np.mean(ranks == moved) / 2) if ranks.size else 0.5
    scale = 100.0 if is_relative(pilot.metric) else 1.0
    return Picked(
        rank=rank, moved=scale * moved, usual=scale * float(np.nanquantile(usual, USUAL)), groups=int(ranks.size)
    )


def _groups(pilot: Panel, others: Panel | None, rng: np.random.Generator) -> Floats:
    """The rise of random groups; empty where there are too few partners to draw from."""
    if others is None or pilot.partners + others.partners < ENOUGH * pilot.partners:
        return np.empty(0)
    pool = np.concatenate((pilot.sums, others.sums), axis=1)
    recent = _recent(pilot)
    last, earlier = np.tensordot(recent, pool, 1), np.tensordot(1 - recent, pool, 1)
    places = np.argsort(rng.random((GROUPS, pool.shape[1])), axis=1)[:, : pilot.partners]
    form = form_of(pilot.metric)
    with np.errstate(all="ignore"):
        found = form.value(last[places].sum(axis=1)) - form.value(earlier[places].sum(axis=1)) - _longer(pilot)
    return np.asarray(found[np.isfinite(found)])


def _longer(panel: Panel) -> float:
    """What the logarithm of a number that grows with its window gains by the window alone."""
    return math.log(LAST / (panel.weeks - LAST)) if is_relative(panel.metric) else 0.0


def _recent(panel: Panel) -> Floats:
    """1 for the blocks of the last weeks, 0 for the others."""
    blocks = np.zeros(len(panel.sums))
    blocks[-LAST * panel.per_week :] = 1
    return blocks


def _rise(whole: Panel) -> float:
    """Of a group that is one row."""
    sums, recent, form = whole.sums[:, 0], _recent(whole), form_of(whole.metric)
    with np.errstate(all="ignore"):
        return float(form.value(recent @ sums) - form.value((1 - recent) @ sums)) - _longer(whole)
