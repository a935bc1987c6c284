"""Signed plans: whose signature is an owner's, and that plans of before keep their digest."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from models.plan import Decisions, RolloutPlan
from tests.plans import ISSUER, make_plan, plan_data, signed_data, signed_plan, subject_of

AT_RELEASE = "sha256:0a1db297fcd3badd18e3dc15b9f8d0bde00f01d836bab70834364f6c7c199a05"


def test_a_plan_that_says_nothing_of_signatures_keeps_the_digest_it_had_before_there_were_any() -> None:
    plan = make_plan()
    assert plan.decisions is None
    assert plan.digest == AT_RELEASE
    written = plan.model_dump(mode="json", by_alias=True)
    assert "decisions" not in written
    assert not {"issuer", "subject"} & written["owners"][0].keys()


def test_what_a_plan_says_of_signatures_is_part_of_its_digest() -> None:
    plain, signed = make_plan(), signed_plan()
    assert signed.decisions is Decisions.SIGNED
    assert len({plain.digest, signed.digest, make_plan(decisions="unsigned").digest}) == 3
    data = signed_data()
    data["owners"][0]["subject"] = "somebody else"[:8]
    assert RolloutPlan.model_validate_json(json.dumps(data)).digest != signed.digest


def test_a_signer_is_known_by_issuer_and_subject_to_the_letter() -> None:
    plan = signed_plan()
    sponsor = plan.owners[0]
    assert plan.signer(ISSUER, subject_of(sponsor.identity)) == sponsor
    assert plan.signer(ISSUER, subject_of(sponsor.identity).upper()) is None
    assert plan.signer("https://other.example.com", subject_of(sponsor.identity)) is None
    assert make_plan().signer(ISSUER, subject_of(sponsor.identity)) is None


@pytest.mark.parametrize("missing", ["issuer", "subject"])
def test_issuer_and_subject_go_together(missing: str) -> None:
    data = plan_data()
    data["owners"][0] |= {"issuer": ISSUER, "subject": "s-1"}
    del data["owners"][0][missing]
    with pytest.raises(ValidationError, match="issuer and subject go together"):
        RolloutPlan.model_validate_json(json.dumps(data))
