"""The words of the vocabulary that records are written in; pages have more of them."""

from __future__ import annotations

from collections.abc import Mapping

from models.evidence import Verdict
from models.metric import CATALOGUE
from models.plan_risk import ShownBy, Wait
from models.rollout import Phase
from record.words import N_, Words

PHASE: Mapping[str, str] = {
    Phase.PREPARE: N_("Prepare"),
    Phase.PILOT: N_("Pilot"),
    Phase.VALIDATE: N_("Validate"),
    Phase.SCALE: N_("Scale"),
    Phase.CLOSE: N_("Close"),
}
VERDICT: Mapping[str, str] = {
    Verdict.MET: N_("Met"),
    Verdict.NOT_MET: N_("Not met"),
    Verdict.CANNOT_TELL: N_("Cannot tell"),
    Verdict.NO_EVIDENCE: N_("No evidence"),
}
WAIT: Mapping[str, str] = {
    Wait.PEOPLE: N_("waiting for people"),
    Wait.DATA: N_("waiting for data"),
    Wait.RESULTS: N_("waiting for results"),
}
METRIC: Mapping[str, str] = {name: one.title for name, one in CATALOGUE.items()}
ROLE: Mapping[str, str] = {
    "sponsor": N_("sponsor"),
    "programme_owner": N_("programme owner"),
    "finance_owner": N_("finance owner"),
    "compliance_owner": N_("compliance owner"),
    "revops_owner": N_("revenue operations owner"),
    "enablement_owner": N_("enablement owner"),
}
"""Usual roles; a plan may name others, which are shown as they are."""


def term(words: Words, names: Mapping[str, str], key: str) -> str:
    """A name in the reader's language; what has none is shown as it is."""
    return words(names[key]) if key in names else key


def role(words: Words, name: str) -> str:
    """A role."""
    return words(ROLE[name]) if name in ROLE else name.replace("_", " ")


def metric(words: Words, name: str) -> str:
    """A metric's title."""
    return words(METRIC[name]) if name in METRIC else name


def phase(words: Words, name: str, wave: int | None = None, waves: int = 0) -> str:
    """A phase, with its wave where there are several."""
    told = term(words, PHASE, name)
    if wave is None or waves <= 1:
        return told
    return words("%(phase)s, wave %(wave)s of %(waves)s", phase=told, wave=wave, waves=waves)


def gate(words: Words, key: str) -> str:
    """A gate by what it leads from and to."""
    if key.startswith("wave_"):
        return words("into wave %(wave)s", wave=key.removeprefix("wave_"))
    before, between, after = key.partition("_to_")
    if not between:
        return key
    return words("%(before)s → %(after)s", before=term(words, PHASE, before), after=term(words, PHASE, after))


def shown_by(words: Words, shown: ShownBy) -> str:
    """What shows whether a risk came true."""
    waits = (words(WAIT[one]) for one in shown.waits)
    return words.listed(
        [*(metric(words, one) for one in shown.metrics), *waits, *(role(words, one) for one in shown.roles)]
    )
