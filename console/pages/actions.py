"""Acting on a rollout: a form is confirmed on a page that repeats its effect, sent, and answered with a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from console.deciding import SignInAgain, decide, refused_for_who
from console.errors import GatewayError, Kind
from console.pages import deciding_card, telling, terms
from console.pages.asking import Look, digest_of, look_at
from console.pages.comparing import Difference, what_changed
from console.pages.forms import read_form
from console.pages.inbox import read_inbox
from console.pages.render import page, words_of
from console.pages.rollout import show, unknown
from console.pages.wishes import HINT, KEEPS, TAKE_BACK, Unclear, Wish, verb_of, wish_of
from console.pages.words import Words
from console.person import Person, SignedIn
from console.signin import again, draft_of, pool_of, site_of
from models.command import Choice, Verb
from models.log import LogEntry, Outcome
from store.views import entry_of

router = APIRouter(include_in_schema=False)

_STATUS = {
    Kind.BAD_INPUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.UNKNOWN: HTTPStatus.NOT_FOUND,
    Kind.REFUSED: HTTPStatus.CONFLICT,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


@router.post("/rollouts/{name}/confirm")
async def confirm(request: Request, person: SignedIn, name: str) -> Response:
    """Repeat what would be done, before it is done."""
    form = await read_form(request)
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    return await _confirm(request, person, look, form)


@router.get("/rollouts/{name}/confirm")
async def confirm_again(request: Request, person: SignedIn, name: str) -> Response:
    """The same page for who had to sign in again in between, with what they had written."""
    form = await draft_of(request, person)
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    if not form:
        return RedirectResponse(f"/rollouts/{quote(name)}", HTTPStatus.SEE_OTHER)
    return await _confirm(request, person, look, form)


@router.post("/rollouts/{name}/decide")
async def act(request: Request, person: SignedIn, name: str) -> Response:
    """Do it; the answer is the receipt."""
    form = await read_form(request)
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    words = words_of(request)
    try:
        wish = wish_of(words, form, look, person)
    except Unclear as problem:
        return await _confirm(request, person, look, form, problem)
    if _stale(look, wish):
        return await _confirm(request, person, look, form)
    request_id = _request_id(form)
    try:
        receipt = await decide(
            request.app.state, person, name, wish.verb, wish.reason, request_id=request_id, **wish.fields
        )
    except SignInAgain:
        return await again(request, person, f"/rollouts/{quote(name)}/confirm", _draft(form))
    except GatewayError as problem:
        status = _STATUS.get(problem.kind, HTTPStatus.BAD_GATEWAY)
        return await show(request, person, name, status, problem=str(problem), draft=wish.reason)
    if receipt.outcome is Outcome.REFUSED:
        return await _refused(request, person, look, wish, receipt.message)
    return RedirectResponse(f"/rollouts/{quote(name)}/receipts/{request_id}", HTTPStatus.SEE_OTHER)


@router.get("/rollouts/{name}/receipts/{request_id}")
async def receipt(request: Request, person: SignedIn, name: str, request_id: str) -> Response:
    """What came of a request, as the rollout itself tells, or the log."""
    words = words_of(request)
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    found = await _entry(request, look, request_id)
    if found is None:
        return page(request, "pending.html", person, HTTPStatus.ACCEPTED, look=look, request_id=request_id[:100])
    items, _ = await read_inbox(request, person, words)
    me, now = look.identity(person), found.entry.programme_at
    others = [one for one in items if one.line.key.rollout_id != name]
    return page(
        request,
        "receipt.html",
        person,
        look=look,
        entry=found.entry,
        source=found.source,
        digest=digest_of(found.entry),
        who=_who(words, look, found.entry),
        waits=telling.waits(words, look.plan, telling.awaited_of(look), me, now, look.delegations),
        following=others[0] if others else None,
    )


def _who(words: Words, look: Look, entry: LogEntry) -> str:
    """Who an entry speaks of; in whose place, where it was not their own."""
    who = telling.with_role(words, look.plan, entry.actor or "", look.delegations)
    owner = entry.detail.get("on_behalf_of")
    if not isinstance(owner, str):
        return who
    return words("%(who)s for %(owner)s", who=who, owner=telling.with_role(words, look.plan, owner))


class _Found(NamedTuple):
    """An entry, and who told it: the workflow itself, or the log in the store."""

    entry: LogEntry
    source: str


async def _entry(request: Request, look: Look, request_id: str) -> _Found | None:
    """The entry of a request, read back from the workflow; from the store where the workflow has let go of it."""
    if look.view is not None:
        try:
            entries = await site_of(request).gateway.decisions(look.name)
        except GatewayError:
            entries = ()
        for entry in entries:
            if entry.request_id == request_id:
                return _Found(entry, "workflow")
    pool = pool_of(request)
    async with pool.acquire() as conn:
        line = await entry_of(conn, look.name, request_id)
    return _Found(line.entry, "log") if line else None


async def _confirm(
    request: Request, person: Person, look: Look, form: Mapping[str, str], problem: Unclear | None = None
) -> Response:
    words = words_of(request)
    try:
        verb = verb_of(words, form)
    except Unclear as unclear:
        return await show(request, person, look.name, HTTPStatus.UNPROCESSABLE_ENTITY, problem=str(unclear))
    if problem is None:
        try:
            wish_of(words, form, look, person)
        except Unclear as unclear:
            problem = unclear
    card = deciding_card.card_of(words, look, person)
    changed, kept = await _evidence(request, look, form, card.gate)
    stale = kept.get("evidence_digest", "") != form.get("evidence_digest", "")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.CONFLICT if stale else HTTPStatus.OK
    return page(
        request,
        "confirm.html",
        person,
        status,
        look=look,
        verb=verb,
        verb_name=_verb_name(words, verb, form),
        reject=form.get("choice") == Choice.REJECT,
        kept=kept,
        rationale=form.get("rationale", ""),
        hint=HINT[verb],
        problem=problem,
        stale=stale,
        changed=changed,
        gate=card.gate if verb is Verb.DECIDE else None,
        card=card,
        name_of=lambda who: telling.name_of(look.plan, who, look.delegations),
        action=look.action(verb),
        request_id=str(uuid4()),
    )


def _verb_name(words: object, verb: Verb, form: Mapping[str, str]) -> str:
    if verb is Verb.DECIDE:
        return "reject" if form.get("choice") == Choice.REJECT else "approve"
    if verb is Verb.DELEGATE and form.get(TAKE_BACK):
        return terms.TAKE_BACK
    return terms.VERB[verb]


async def _evidence(
    request: Request, look: Look, form: Mapping[str, str], gate: deciding_card.Gate | None
) -> tuple[tuple[Difference, ...] | None, dict[str, str]]:
    """What changed since the person read, and the fields with the evidence that the gate rests on now."""
    kept = {name: form.get(name, "")[:1000] for name in KEEPS}
    seen = kept["evidence_digest"]
    if gate is None or kept["verb"] != Verb.DECIDE or gate.digest == seen or gate.key != kept["gate"]:
        return (), kept
    pool = pool_of(request)
    changed = await what_changed(pool, words_of(request), look.name, seen, gate.digest) if seen else None
    return changed, kept | {"evidence_digest": gate.digest}


def _stale(look: Look, wish: Wish) -> bool:
    """Whether the gate rests on other evidence by now: the person then reads that before anything is sent. Where the
    gate itself is another, the rollout refuses it, which is written down."""
    gate = look.view.gate if look.view else None
    fields = wish.fields
    return bool(
        wish.verb is Verb.DECIDE
        and gate is not None
        and gate.key == fields["gate"]
        and gate.digest != fields["evidence_digest"]
    )


async def _refused(request: Request, person: Person, look: Look, wish: Wish, told: str) -> Response:
    """It was refused, which the log has: forbidden where it is not this person's to ask, else a conflict."""
    forbidden = await refused_for_who(site_of(request), person, look.name, wish.verb)
    status = HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.CONFLICT
    return await show(request, person, look.name, status, problem=told, draft=wish.reason)


def _draft(form: Mapping[str, str]) -> dict[str, str]:
    """What is kept of a form while somebody signs in again."""
    return {name: form[name][:4000] for name in (*KEEPS, "rationale") if form.get(name)}


def _request_id(form: Mapping[str, str]) -> str:
    """The id that the confirming page gave the request, so that sending it twice is once."""
    try:
        return str(UUID(form.get("request_id", "")))
    except ValueError:
        return str(uuid4())
