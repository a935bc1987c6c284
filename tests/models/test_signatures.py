"""A token proves exactly one request of one rollout by one person; whatever else is shown is a doubt, in words."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.claims import LARGEST, Claims
from models.command import Choice, Command, Decide, Pause, Verb
from models.signatures import Doubt, Wanted, of_request, of_start, proven
from tests.plans import signed_plan
from tests.signing import Pen, Signed

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PLAN = signed_plan()
SPONSOR = PLAN.owners[0]
PEN = Pen()
SERVICE = Signed(PLAN, pen=PEN)
APPROVAL = Decide(
    request_id="request-0001",
    actor=SPONSOR.identity,
    reason="the pilot held its limits 評価済み",
    gate="prepare_to_pilot",
    choice=Choice.APPROVE,
    plan_digest=PLAN.digest,
    evidence_digest="sha256:e1",
)


def wanted(verb: Verb = Verb.DECIDE, command: Command = APPROVAL, chain: str = "chain") -> Wanted:
    return of_request(PLAN.id, chain, PLAN.digest, verb, command)


def look(token: str, at: datetime = NOW, want: Wanted | None = None, **options: Any) -> Claims | Doubt:
    return proven(token, options.pop("keys", PEN.keys()), want or wanted(), at, **options)


def doubted(found: Claims | Doubt) -> str:
    assert isinstance(found, Doubt), found
    return found.reason


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


GOOD = SERVICE.request(Verb.DECIDE, APPROVAL, NOW)
HEAD, BODY, SIGNATURE = GOOD.split(".")


def test_a_token_of_exactly_this_request_proves_who_asks() -> None:
    found = look(GOOD)
    assert isinstance(found, Claims)
    assert (found.sub, found.role, found.verb) == ("sub-sam.sponsor", "sponsor", Verb.DECIDE)


def test_a_token_of_a_start_proves_the_plan() -> None:
    token, want = SERVICE.start(NOW), of_start(PLAN.id, PLAN.digest)
    assert isinstance(look(token, want=want), Claims)
    other = of_start(PLAN.id, "sha256:another")
    assert "another version of the plan" in doubted(look(token, want=other))
    assert "another request" in doubted(look(token))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wf": "rollout/another"}, "another rollout"),
        ({"chain": "another-chain"}, "an earlier or later rollout of this name"),
        ({"chain": None}, "an earlier or later rollout of this name"),
        ({"plan": "sha256:another"}, "another version of the plan"),
        ({"verb": "override"}, "another request"),
        ({"verb": "start"}, "another request"),
        ({"gate": "validate_to_scale"}, "another gate"),
        ({"decision": "reject"}, "another decision"),
        ({"rationale": "something else"}, "another rationale"),
        ({"evidence": "sha256:stale"}, "other evidence"),
        ({"request": "sha256:other"}, "a request with other content"),
        ({"jti": "request-0002"}, "a request of another id"),
        ({"aud": "another-deployment"}, "is for 'another-deployment', this is 'partner-rollouts'"),
        ({"iat": int(NOW.timestamp()) + 61, "exp": int(NOW.timestamp()) + 600}, "from the future"),
        ({"exp": int(NOW.timestamp()) + 601}, "600 seconds at most"),
        ({"exp": int(NOW.timestamp())}, "must be good for some time"),
        ({"auth_time": int(NOW.timestamp()) + 61}, "older than the signing in"),
        ({"ver": 2}, "not those of a decision: ver"),
        ({"iat": "now"}, "not those of a decision: iat"),
        ({"iat": 1.5}, "not those of a decision: iat"),
        ({"role": None}, "not those of a decision: role"),
        ({"admin": True}, "not those of a decision: admin"),
    ],
)
def test_a_token_that_says_anything_else_proves_nothing(changes: dict[str, Any], said: str) -> None:
    assert said in doubted(look(PEN.sign({**CLAIMS, **changes})))


@pytest.mark.parametrize("field", ["reason", "actor", "gate", "evidence_digest", "declared_conflict", "request_id"])
def test_a_request_of_which_a_word_was_changed_after_signing_is_another_request(field: str) -> None:
    changed = APPROVAL.model_copy(update={field: "somebody-else@example.com"})
    assert "was signed for" in doubted(look(GOOD, want=wanted(command=changed)))


def test_time_runs_out() -> None:
    assert isinstance(look(GOOD, NOW + timedelta(seconds=599)), Claims)
    assert "expired" in doubted(look(GOOD, NOW + timedelta(seconds=600)))
    assert isinstance(look(GOOD, NOW + timedelta(days=90), lapsed=True), Claims)
    assert isinstance(look(GOOD, NOW - timedelta(seconds=60)), Claims)
    assert "future" in doubted(look(GOOD, NOW - timedelta(seconds=61), lapsed=True))


def test_a_pause_may_be_signed_for_a_day_and_an_approval_may_not() -> None:
    pause = Pause(request_id="request-0003", actor=SPONSOR.identity, reason="wait for the auditors")
    day = {"exp": int(NOW.timestamp()) + 86_400}
    token = SERVICE.request(Verb.PAUSE, pause, NOW, **day)
    assert isinstance(look(token, NOW + timedelta(hours=23), wanted(Verb.PAUSE, pause)), Claims)
    assert "600 seconds" in doubted(look(SERVICE.request(Verb.DECIDE, APPROVAL, NOW, **day)))


def test_another_key_of_the_same_name_proves_nothing() -> None:
    assert "not that of its key" in doubted(look(Signed(PLAN, pen=Pen()).request(Verb.DECIDE, APPROVAL, NOW)))


def test_a_key_nobody_knows_is_told_apart_only_if_all_else_is_right() -> None:
    other = Signed(PLAN, pen=Pen("key-2"))
    found = look(other.request(Verb.DECIDE, APPROVAL, NOW))
    assert isinstance(found, Doubt)
    assert found.unknown_key
    assert "'key-2', which is not among" in found.reason
    for odd in (other.request(Verb.DECIDE, APPROVAL, NOW, gate="wave_2"), other.pen.sign(b"[]")):
        found = look(odd)
        assert isinstance(found, Doubt)
        assert not found.unknown_key
    unknown = look(GOOD, keys=None)
    assert isinstance(unknown, Doubt)
    assert unknown.unknown_key


def test_a_key_that_was_added_proves_and_one_that_was_taken_out_does_not() -> None:
    new = Pen("key-2")
    token = Signed(PLAN, pen=new).request(Verb.DECIDE, APPROVAL, NOW)
    assert isinstance(look(token, keys=PEN.keys(new)), Claims)
    assert isinstance(look(GOOD, keys=PEN.keys(new)), Claims)
    assert "not among" in doubted(look(GOOD, keys=new.keys()))


CLAIMS = SERVICE.claims(Verb.DECIDE, APPROVAL, NOW)
TWICE = b'{"typ":"decision+jws","alg":"none","alg":"Ed25519","kid":"key-1"}'
_SECRET = base64.urlsafe_b64decode(PEN.public.x + "=")


def _hmac(head: dict[str, Any]) -> str:
    """The public key taken for the secret of another algorithm."""
    text = f"{part(head)}.{BODY}"
    return f"{text}.{part(hmac.new(_SECRET, text.encode(), hashlib.sha256).digest())}"


ODD: dict[str, Callable[[], str]] = {
    "alg none": lambda: f"{part({'typ': 'decision+jws', 'alg': 'none', 'kid': 'key-1'})}.{BODY}.{part(b'x')}",
    "alg none, nothing signed": lambda: f"{part({'typ': 'decision+jws', 'alg': 'none', 'kid': 'key-1'})}.{BODY}.",
    "alg HS256 with the public key": lambda: _hmac({"typ": "decision+jws", "alg": "HS256", "kid": "key-1"}),
    "alg EdDSA": lambda: f"{part({'typ': 'decision+jws', 'alg': 'EdDSA', 'kid': 'key-1'})}.{BODY}.{SIGNATURE}",
    "alg a number": lambda: f"{part({'typ': 'decision+jws', 'alg': 1, 'kid': 'key-1'})}.{BODY}.{SIGNATURE}",
    "typ JWT": lambda: PEN.sign(CLAIMS, typ="JWT"),
    "no typ": lambda: PEN.sign(CLAIMS, typ=None),
    "no kid": lambda: PEN.sign(CLAIMS, kid=None),
    "kid a list": lambda: f"{part({'typ': 'decision+jws', 'alg': 'Ed25519', 'kid': []})}.{BODY}.{SIGNATURE}",
    "kid an object": lambda: f"{part({'typ': 'decision+jws', 'alg': 'Ed25519', 'kid': {}})}.{BODY}.{SIGNATURE}",
    "crit a number": lambda: f"{part({'typ': 'decision+jws', 'alg': 'Ed25519', 'kid': 'key-1', 'crit': 1})}.{BODY}.x",
    "crit a list": lambda: PEN.sign(CLAIMS, crit=["exp"], exp=1),
    "b64 false": lambda: PEN.sign(CLAIMS, b64=False, crit=["b64"]),
    "a key of its own": lambda: PEN.sign(CLAIMS, jwk=Pen().public.model_dump()),
    "a header that is a list": lambda: f"{part([])}.{BODY}.{SIGNATURE}",
    "a header that is null": lambda: f"{part(None)}.{BODY}.{SIGNATURE}",
    "a header that is a text": lambda: f"{part('alg')}.{BODY}.{SIGNATURE}",
    "a header of brackets": lambda: f"{part(b'[' * 3000)}.{BODY}.{SIGNATURE}",
    "a header that says alg twice": lambda: PEN.seal(TWICE, json.dumps(CLAIMS).encode()),
    "claims of brackets": lambda: f"{HEAD}.{part(b'[' * 3000)}.{SIGNATURE}",
    "claims that are a list": lambda: PEN.sign(b"[]"),
    "claims that are no JSON": lambda: PEN.sign(b"\xff\xfe"),
    "claims that say sub twice": lambda: PEN.sign(json.dumps(CLAIMS)[:-1].encode() + b',"sub":"somebody"}'),
    "a number without end": lambda: PEN.sign(json.dumps({**CLAIMS, "iat": 0}).replace("0}", "9" * 5000).encode()),
    "no signature": lambda: f"{HEAD}.{BODY}.",
    "another signature": lambda: f"{HEAD}.{BODY}.{part(b'0' * 64)}",
    "a short signature": lambda: f"{HEAD}.{BODY}.{part(b'0')}",
    "two parts": lambda: f"{HEAD}.{BODY}",
    "four parts": lambda: f"{GOOD}.{SIGNATURE}",
    "JSON": lambda: json.dumps({"payload": BODY, "protected": HEAD, "signature": SIGNATURE}),
    "padding": lambda: f"{HEAD}==.{BODY}.{SIGNATURE}",
    "a line break": lambda: f"{GOOD}\n",
    "a space in front": lambda: f" {GOOD}",
    "nothing": lambda: "",
    "a giant": lambda: f"{HEAD}.{part(b'0' * 1_000_000)}.{SIGNATURE}",
    "one too many": lambda: GOOD + "x" * (LARGEST + 1 - len(GOOD)),
    "half a character": lambda: "\ud800",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_refused_in_words(name: str) -> None:
    found = look(ODD[name]())
    assert isinstance(found, Doubt)
    assert not found.unknown_key
    assert 10 < len(found.reason) < 500


def test_a_token_is_written_in_one_way_only() -> None:
    """The last letter of a signature has bits that mean nothing: with others it would be a second token."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = GOOD[:-1] + letters[letters.index(GOOD[-1]) + 1]
    assert base64.urlsafe_b64decode(twin.split(".")[2] + "==") == base64.urlsafe_b64decode(SIGNATURE + "==")
    assert "read in two ways" in doubted(look(twin))


def test_a_token_that_is_right_but_too_large_is_not_even_read() -> None:
    assert f"more than {LARGEST} bytes" in doubted(look(PEN.sign({**CLAIMS, "name": "x" * LARGEST})))


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    assert isinstance(look(text), Doubt)


@given(st.binary(), st.binary(), st.binary())
def test_no_bytes_make_it_raise(head: bytes, body: bytes, signature: bytes) -> None:
    assert isinstance(look(f"{part(head)}.{part(body)}.{part(signature)}"), Doubt)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    max_leaves=6,
)
NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c"])


@given(st.dictionaries(NAMES, JSON | st.sampled_from(["Ed25519", "decision+jws", "key-1"])))
@example({"crit": 1})
@example({"typ": "decision+jws", "alg": "Ed25519", "kid": None})
def test_no_header_makes_it_raise_or_believe(header: dict[str, Any]) -> None:
    found = look(f"{part(header)}.{BODY}.{SIGNATURE}")
    ours = header == {"typ": "decision+jws", "alg": "Ed25519", "kid": "key-1"}
    assert isinstance(found, Doubt) or (ours and part(header) == HEAD)


@given(st.dictionaries(st.sampled_from(sorted(CLAIMS)), JSON, min_size=1))
def test_no_claims_make_it_raise_even_with_a_good_signature(changes: dict[str, Any]) -> None:
    found = look(PEN.sign({**CLAIMS, **changes}))
    assert isinstance(found, Claims | Doubt)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 127))
def test_no_flipped_letter_leaves_it_good(at: int, by: int) -> None:
    flipped = GOOD[:at] + chr(ord(GOOD[at]) ^ by) + GOOD[at + 1 :]
    assert isinstance(look(flipped), Doubt)
