"""What a form asks of a rollout, read into a verb and its fields, or told what is wrong with it field by field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from console.pages.asking import Look
from console.pages.words import N_, Words
from console.person import Person
from models.command import Choice, PauseVerdict, Verb
from models.metric import MetricName
from models.plan import Decisions, Fate, StopResolution

TAKE_BACK = "take_back"
"""Says of a delegation that it is ended, not given."""

LEAST, MOST = 10, 2000
"""Characters of a rationale: one word is none."""

OFFERED = frozenset(
    {
        Verb.DECIDE,
        Verb.PAUSE,
        Verb.RESUME,
        Verb.OVERRIDE,
        Verb.REVIEW,
        Verb.CONFIRM_OWNERSHIP,
        Verb.STOP,
        Verb.DELEGATE,
        Verb.JUDGE_PAUSE,
    }
)
HINT: Mapping[Verb, str] = {
    Verb.DECIDE: N_("What in the evidence convinces you, or what is missing?"),
    Verb.PAUSE: N_("What did you see that must not go on?"),
    Verb.RESUME: N_("What has been done about the cause?"),
    Verb.OVERRIDE: N_("Why may the metric be let be until that day?"),
    Verb.REVIEW: N_("What came of the review?"),
    Verb.CONFIRM_OWNERSHIP: N_("For example: I own this part of the plan and have read it."),
    Verb.STOP: N_("Why is it given up?"),
    Verb.DELEGATE: N_("Why can you not act yourself, or why again?"),
    Verb.JUDGE_PAUSE: N_("What do you know now that you did not know then?"),
}
KEEPS = (
    "verb",
    "choice",
    "gate",
    "evidence_digest",
    "plan_digest",
    "declared_conflict",
    "role",
    "metric",
    "until",
    "finished",
    "current",
    "pending",
    "identity",
    "name",
    "issuer",
    "subject",
    "pause",
    "verdict",
    TAKE_BACK,
)
"""Fields that travel from the first form to the one that confirms."""


class Wish(NamedTuple):
    """A request that can be sent: a verb, a reason, and the other fields of the verb's command."""

    verb: Verb
    reason: str
    fields: Mapping[str, Any]


class Unclear(Exception):
    """A form that cannot be sent: what is wrong, in the reader's words, and whether it is the rationale."""

    def __init__(self, told: str, field: str = "rationale") -> None:
        super().__init__(told)
        self.field = field


def verb_of(words: Words, form: Mapping[str, str]) -> Verb:
    """The verb of a form.

    Raises:
        Unclear: it has none that people may use here.
    """
    found = form.get("verb", "")
    if found not in OFFERED:
        raise Unclear(words("The form does not say what is asked for."), "verb")
    return Verb(found)


def wish_of(words: Words, form: Mapping[str, str], look: Look, person: Person) -> Wish:
    """What a form asks for.

    Raises:
        Unclear: it cannot be understood.
    """
    verb = verb_of(words, form)
    reason = form.get("rationale", "").strip()
    if len(reason) < LEAST:
        raise Unclear(words("Write at least %(least)s characters: others will read why.", least=LEAST))
    if len(reason) > MOST:
        raise Unclear(words("Write at most %(most)s characters.", most=words.count(MOST)))
    return Wish(verb, reason, _fields(words, verb, form, look, person))


def _fields(words: Words, verb: Verb, form: Mapping[str, str], look: Look, person: Person) -> dict[str, Any]:
    match verb:
        case Verb.DECIDE:
            return _decision(words, form)
        case Verb.CONFIRM_OWNERSHIP:
            owner = look.owner(person)
            return {"role": owner.role if owner else form.get("role", "")[:100]}
        case Verb.OVERRIDE:
            return _override(words, form)
        case Verb.DELEGATE:
            return _delegation(words, form, look)
        case Verb.JUDGE_PAUSE:
            return _judgement(words, form)
        case Verb.STOP:
            fates = {part: form.get(part, "") for part in ("finished", "current", "pending")}
            if any(one not in tuple(Fate) for one in fates.values()):
                raise Unclear(words("Say of each cohort whether it keeps the new rule."), "finished")
            return {"resolution": StopResolution(**{part: Fate(fate) for part, fate in fates.items()})}
        case _:
            return {}


def _decision(words: Words, form: Mapping[str, str]) -> dict[str, Any]:
    choice = form.get("choice", "")
    if choice not in tuple(Choice):
        raise Unclear(words("Choose whether to approve or to reject."), "choice")
    found: dict[str, Any] = {
        "choice": Choice(choice),
        "gate": form.get("gate", "")[:100],
        "plan_digest": form.get("plan_digest", "")[:100],
        "evidence_digest": form.get("evidence_digest", "")[:100],
    }
    conflict = form.get("declared_conflict", "").strip()
    return found | ({"declared_conflict": conflict[:1000]} if conflict else {})


def _override(words: Words, form: Mapping[str, str]) -> dict[str, Any]:
    try:
        until = _moment(form.get("until", ""))
        metric = MetricName(form.get("metric", ""))
    except ValueError:
        raise Unclear(words("Name a metric and the day until which it is let be."), "until") from None
    return {"metric": metric, "until": until}


def _judgement(words: Words, form: Mapping[str, str]) -> dict[str, Any]:
    number = form.get("pause", "")
    if not (number.isascii() and number.isdigit() and len(number) < 16 and int(number)):
        raise Unclear(words("Choose which pause you mean."), "pause")
    if form.get("verdict", "") not in tuple(PauseVerdict):
        raise Unclear(words("Choose whether it was right or a false alarm."), "verdict")
    return {"pause": int(number), "verdict": PauseVerdict(form["verdict"])}


def _delegation(words: Words, form: Mapping[str, str], look: Look) -> dict[str, Any]:
    """To let somebody act, or, where the form says so itself, not any more: no end by itself takes nothing back."""
    found: dict[str, Any] = {"identity": form.get("identity", "").strip(), "name": form.get("name", "").strip()}
    if not 3 <= len(found["identity"]) <= 200 or "@" not in found["identity"] or not 1 <= len(found["name"]) <= 100:
        raise Unclear(words("Name who is to act for you: an e-mail address and a name."), "identity")
    if form.get(TAKE_BACK):
        return found
    try:
        found["until"] = _moment(form.get("until", ""))
    except ValueError:
        raise Unclear(words("Say until when they act for you."), "until") from None
    if look.view is not None and found["until"] <= look.view.programme_now:
        now = words.moment(look.view.programme_now)
        raise Unclear(words("It must end in the future; programme time is %(now)s now.", now=now), "until")
    issuer, subject = form.get("issuer", "").strip()[:300], form.get("subject", "").strip()[:255]
    if issuer and subject:
        return found | {"issuer": issuer, "subject": subject}
    if look.view is not None and look.view.decisions is Decisions.SIGNED:
        raise Unclear(words("Decisions are signed here: say where they sign in, and who they are there."), "subject")
    return found


def _moment(text: str) -> datetime:
    """A moment of a form, UTC where it names no zone.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
