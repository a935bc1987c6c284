"""Events read as dictionaries: the reader takes what the models take, and refuses what they refuse, in their words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from store.events import BATCH, ONE, read_batch, read_one
from store.events.arrivals import arrivals
from store.events.said import _BATCH, writer
from store.events.types import DATA, Data, Event, Nothing

MOMENTS = st.sampled_from(
    [
        "2026-03-02T09:00:00+00:00",
        "2026-03-02T09:00:00Z",
        "2026-03-02t09:00:00.123456789+01:00",
        "2028-02-29T23:59:59+00:00",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00+00:00",
        "2026-12-31T24:00:00+00:00",
        "1969-12-31T00:00:00+00:00",
        "2026-03-02T09:00:00+00:00\n",
        "2026-03-02",
    ]
)
DAYS = st.sampled_from(["2026-03-31", "2028-02-29", "2026-02-29", "2026-04-31", "2026-13-01", "2026-03", "2026-03-31 "])
VALUES: st.SearchStrategy[Any] = (
    MOMENTS
    | DAYS
    | st.sampled_from(
        ["P1", "EUR", "won", "pass", "partial", "sale", "rebate", "hot", "attempted", "", " x", "é\N{BELL}"]
    )
    | st.sampled_from(["0.50", "-0", "-12.3400", "1", "1e3", True, False, None, 0, 1, 2, 0.5, -3, 10**20, [], {}, "\n"])
)


USUALLY = st.sampled_from([True, True, True, False])


def _names(model: type[Data]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Anything that looks like an event; often it is one."""
    type_ = draw(st.sampled_from(list(DATA)))
    said: dict[str, Any] = {"specversion": "1.0", "id": "e", "source": "crm", "type": type_, "subject": "s"}
    said["time"] = draw(st.just("2026-03-02T09:00:00Z") | MOMENTS)
    if DATA[type_][1] is not Nothing or draw(st.booleans()):
        names = _names(DATA[type_][1])
        said["data"] = {name: draw(st.just(_example(type_, name)) | VALUES) for name in names if draw(USUALLY)}
    extra = st.sampled_from(["version", "retracted", "dataschema", "data_base64", "traceparent", "subject", "type"])
    for name in draw(st.sets(extra, max_size=1)):
        said[name] = draw(VALUES)
    return said


def by_models(body: str) -> list[dict[str, Any]] | list[Any]:
    """What the models read, spelled as dictionaries; or what they complain of."""
    try:
        return [spelled(one) for one in BATCH.validate_json(body)]
    except ValidationError as problem:
        return problem.errors(include_url=False)


def spelled(event: Event) -> dict[str, Any]:
    found = {name: value for name, value in vars(event).items() if name != "data"}
    return found | {"data": {"class" if name == "class_" else name: value for name, value in vars(event.data).items()}}


@given(st.lists(events(), max_size=3))
def test_the_reader_and_the_models_read_the_same_or_complain_of_the_same(batch: list[dict[str, Any]]) -> None:
    body = json.dumps(batch)
    try:
        found: Any = list(read_batch(body))
    except ValidationError as problem:
        found = problem.errors(include_url=False)
    assert repr(found) == repr(by_models(body))


@given(events())
def test_what_the_reader_refuses_the_models_refuse_for_a_reason_that_can_be_told(event: dict[str, Any]) -> None:
    """Otherwise the refusal would be in the words of a schema that nobody described."""
    body = json.dumps([event])
    try:
        _BATCH.validate_json(body)
    except ValidationError:
        with pytest.raises(ValidationError):
            BATCH.validate_json(body)


@pytest.mark.parametrize("type_", list(DATA))
def test_of_each_type_the_least_and_the_most_that_it_can_say_is_read_and_written_as_its_model_does(type_: str) -> None:
    model = DATA[type_][1]
    most = {name: _example(type_, name) for name in _names(model)}
    least = {
        field.alias or name: most[field.alias or name]
        for name, field in model.model_fields.items()
        if field.is_required() or (type_, name) in {("deal.closed", "amount"), ("compliance.result.recorded", "value")}
    }
    event = {"specversion": "1.0", "id": "e", "source": "crm", "type": type_, "subject": "s"}
    event |= {"time": "2026-03-02T09:00:00+01:00"}
    for data in (most, least):
        body = json.dumps(event | {"data": data})
        described: Any = ONE.validate_json(body)
        said = read_one(body)
        assert said == read_batch(f"[{body}]")[0] == spelled(described)
        text = described.data.model_dump_json(by_alias=True, exclude_none=True)
        assert writer(model)(said["data"], exclude_none=True).decode() == text
        assert arrivals("crm", [said])[0].text == text
    # Where all of it may be left out, so may `data`; the content is the same then.
    if least:
        with pytest.raises(ValidationError):
            read_one(json.dumps(event))
    else:
        bare, empty = read_one(json.dumps(event)), read_one(json.dumps(event | {"data": {}}))
        assert bare == empty
        assert arrivals("crm", [bare])[0].text == arrivals("crm", [empty])[0].text


def _example(type_: str, name: str) -> Any:
    """A value that a field can have."""
    chosen = {
        "class": 'a "hot" \N{SNOWMAN} \\',
        "currency": "EUR",
        "origin": "vendor",
        "excluded_reason": "junk",
        "released_reason": "expired",
        "attribution": "influenced",
        "check_version": 3,
        "course_version": 2,
        "settles_request": False,
        "prior_credit": True,
        "earned_period": "2026-02",
        "score": 87.5,
        "value": 0.25,
        "copay_share": "0.50",
        "credit_share": 1,
        "outcome": "partial" if type_.startswith("compliance") else "won",
        "kind": {"transaction.recorded": "sale", "cost.recorded": "freight"}.get(type_, "attempted"),
    }
    if name in chosen:
        return chosen[name]
    if name.endswith("amount"):
        return 12.50
    if name.endswith("_at"):
        return "2026-03-02T09:00:00.5Z"
    days = (
        "due_on",
        "valid_from",
        "valid_until",
        "recognised_on",
        "transaction_date",
        "activity_start",
        "activity_end",
    )
    return "2028-02-29" if name in days else f"{name} é"


def test_an_event_that_is_taken_back_is_read_by_the_rule_of_its_model() -> None:
    contact: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e",
        "source": "crm",
        "type": "lead.contacted",
        "subject": "L1",
    }
    contact |= {"time": "2026-03-02T09:00:00Z", "retracted": True}
    assert read_batch(json.dumps([contact | {"version": 2}]))[0]["retracted"]
    for read in (lambda body: read_batch(f"[{body}]"), read_one):
        with pytest.raises(ValidationError, match="a version above 1"):
            read(json.dumps(contact))
