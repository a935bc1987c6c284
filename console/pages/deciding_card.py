"""The card that asks a person to decide: what they may do now, on which evidence, and what it would do."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from console.pages import telling, terms
from console.pages.asking import Look
from console.pages.telling import Effect
from console.pages.words import Words
from console.person import Person
from models.command import Verb
from models.evidence import Verdict
from models.log import EntryKind, LogEntry, Outcome
from models.plan import Owner
from models.rollout import AllowedAction, Delegation

OTHERS = (Verb.PAUSE, Verb.REVIEW, Verb.OVERRIDE, Verb.JUDGE_PAUSE, Verb.STOP, Verb.DELEGATE)
"""What an owner may want beside what is awaited of them."""


class Offer(NamedTuple):
    """A verb with its form; `why_not` says why it cannot be used now."""

    verb: Verb
    name: str
    why_not: str | None
    who: str


class Gate(NamedTuple):
    """The gate that is open. `digest` is what a decision names; `tally` how the verdicts stand by word."""

    key: str
    name: str
    digest: str
    as_of: datetime | None
    due: datetime
    overdue: bool
    approvals: tuple[tuple[str, str, datetime], ...]
    rule: str
    tally: tuple[tuple[str, int], ...]
    effect: Effect
    effect_told: str
    proposer: str


class Card(NamedTuple):
    """What is asked of the person. `offer` is the one thing awaited of them, None where nothing is; `decided` are the
    entries of the newest gate that has been decided, for whoever comes after. `stands_in` says for whom and until when
    somebody acts who is no owner; `given` whom the owner lets act for them."""

    owner: Owner | None
    stands_in: Delegation | None
    given: Delegation | None
    gate: Gate | None
    offer: Offer | None
    done: str | None
    others: tuple[Offer, ...]
    decided: tuple[LogEntry, ...]


def card_of(words: Words, look: Look, person: Person) -> Card:
    """The card of a person."""
    owner, stands_in = look.owner(person), look.stands_in(person)
    gate = _gate(words, look)
    offer, done = _offer(words, look, person, gate)
    if offer is not None and offer.why_not is None and owner is None and stands_in is None:
        # A namesake: the address is an owner's, and the plan says that its owner signs in elsewhere.
        offer = None
    others = tuple(
        _as_offer(words, look, action)
        for verb in OTHERS
        if (action := look.action(verb)) is not None
        and (offer is None or verb is not offer.verb)
        and (owner or verb is not Verb.DELEGATE)
        and (action.allowed or verb is not Verb.JUDGE_PAUSE)
    )
    return Card(
        owner=owner,
        stands_in=stands_in,
        given=_given(look, owner) if owner else None,
        gate=gate,
        offer=offer,
        done=done,
        others=others if owner or stands_in else (),
        decided=_decided(look) if gate is None else (),
    )


def _given(look: Look, owner: Owner) -> Delegation | None:
    given = look.view.delegations if look.view else ()
    return next((one for one in given if _same(one.owner, owner.identity)), None)


def _gate(words: Words, look: Look) -> Gate | None:
    view = look.view
    if view is None or view.gate is None:
        return None
    gate, assessment = view.gate, view.assessment
    same = assessment is not None and assessment.digest == gate.digest
    effect = telling.effect_of(words, look.plan, view.phase.value, view.wave, look.scope)
    counted = [one.verdict for one in assessment.items] if assessment and same else []
    return Gate(
        key=gate.key,
        name=terms.gate(words, gate.key),
        digest=gate.digest,
        as_of=assessment.as_of if assessment and same else _measured_at(look, gate.digest),
        due=gate.due_at,
        overdue=gate.overdue,
        approvals=tuple(
            (telling.name_of(look.plan, one.identity), terms.role(words, one.role), one.at) for one in gate.approvals
        ),
        rule=_rule(words, look),
        tally=tuple((one, counted.count(one)) for one in Verdict if one in counted),
        effect=effect,
        effect_told=telling.effect_words(words, effect),
        proposer=telling.name_of(look.plan, look.plan.proposer),
    )


def _measured_at(look: Look, digest: str) -> datetime | None:
    """When baselines were measured, where the gate rests on them."""
    baselines = look.view.baselines if look.view else ()
    return next((one.window.end for one in baselines if one.evidence_digest == digest), None)


def _rule(words: Words, look: Look) -> str:
    view = look.view
    rule = look.plan.approvals.rule(view.gate.name) if view and view.gate else None
    if rule is None:
        return ""
    told = words(
        "%(quorum)s of: %(roles)s",
        quorum=rule.quorum,
        roles=words.listed([terms.role(words, one) for one in rule.roles]),
    )
    if rule.required:
        needed = words.listed([terms.role(words, one) for one in rule.required])
        told += " · " + words("among them: %(roles)s", roles=needed)
    return told


def _offer(words: Words, look: Look, person: Person, gate: Gate | None) -> tuple[Offer | None, str | None]:
    """What is awaited of the person, or what they have done about it already."""
    identity, stands_in = look.identity(person), look.stands_in(person)
    mine = {one.what.partition(" ")[0] for one in telling.awaited_of(look) if _names(one.who, identity)}
    decide = look.action(Verb.DECIDE)
    if gate is not None and decide is not None:
        given = look.view.gate.approvals if look.view and look.view.gate else ()
        voice = stands_in.owner if stands_in else identity
        own = next((one for one in given if _same(one.identity, voice)), None)
        if own is None:
            return _as_offer(words, look, decide), None
        if _same(own.by or own.identity, identity):
            return None, words("You approved this on %(at)s; it waits for the others.", at=words.moment(own.at))
        who = telling.name_of(look.plan, own.by or own.identity, look.delegations)
        told = words("%(who)s approved this on %(at)s with the voice that you share.", who=who, at=words.moment(own.at))
        return None, told
    for head, verb in (
        ("confirm", Verb.CONFIRM_OWNERSHIP),
        ("resume", Verb.RESUME),
        ("hold", Verb.REVIEW),
    ):
        action = look.action(verb)
        if action is not None and (head in mine or (verb is Verb.RESUME and look.view and look.view.pause)):
            return _as_offer(words, look, action), None
    return None, None


def _as_offer(words: Words, look: Look, action: AllowedAction) -> Offer:
    who = words.listed([telling.with_role(words, look.plan, one, look.delegations) for one in action.who])
    return Offer(action.verb, terms.term(words, terms.VERB, action.verb), action.why_not, who)


def _names(who: tuple[str, ...], identity: str) -> bool:
    return any(_same(identity, one) for one in who)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _decided(look: Look) -> tuple[LogEntry, ...]:
    """The decisions at the newest gate that was decided."""
    gates = [
        one
        for one in look.log
        if one.kind is EntryKind.DECISION
        and one.verb == Verb.DECIDE
        and one.outcome is not Outcome.REFUSED
        and one.gate
    ]
    return tuple(one for one in gates if one.gate == gates[-1].gate) if gates else ()
