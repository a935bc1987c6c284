"""The balances of MDF worked out a second time, claim by claim, over made-up histories of one partner."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.metric import MetricName
from tests.store.world import Q1, World, at, day

SPEND = MetricName.MDF_SPEND
AS_OF = at("2026-02-15")
FUNDS = {"early": "2026-02-10", "usual": "2026-04-30", "never": None}
"""Last days on which a claim may be handed in."""


class Story:
    """Requests and claims as they might have happened, most of them before the moment that is asked for."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.requests = {f"r{number:02}": self._request() for number in range(25)}
        self.claims = {f"c{number:02}": self._claim() for number in range(70)}

    def moment(self, chance: float = 1.0, first: int = 0) -> datetime | None:
        days = self.rng.randint(first, 60)
        return at("2026-01-02") + timedelta(days=days) if self.rng.random() < chance else None

    def _request(self) -> dict[str, Any]:
        decided = self.moment(0.85)
        decision = self.rng.choice(("approved", "approved", "approved", "rejected")) if decided else None
        return {
            "allocation_id": self.rng.choice([*FUNDS, None]),
            "requested_amount": 100,
            "approved_amount": self.rng.randint(1, 10) * 10 if decision == "approved" else None,
            "copay_share": self.rng.choice(("0", "0.5")),
            "submitted_at": at("2026-01-02"),
            "decision": decision,
            "decided_at": decided,
            "released_at": self.moment(0.15),
        }

    def _claim(self) -> dict[str, Any]:
        decided, paid = self.moment(0.7), self.moment(0.3)
        decision = self.rng.choice(("approved", "approved", "rejected")) if decided else None
        return {
            "request_id": self.rng.choice([*self.requests, None]),
            "claimed_amount": self.rng.randint(1, 10) * 10,
            "approved_amount": self.rng.randint(1, 10) * 10 if decision == "approved" else None,
            "paid_amount": self.rng.randint(1, 10) * 10 if paid else None,
            "submitted_at": self.moment(),
            "decision": decision,
            "decided_at": decided,
            "paid_at": paid,
            "withdrawn_at": None if paid else self.moment(0.2),
            "settles_request": self.rng.random() < 0.4,
            "invoice_ref": f"INV-{self.rng.randint(1, 60)}" if self.rng.random() < 0.8 else None,
        }


async def told(world: World, story: Story) -> None:
    for fund, deadline in FUNDS.items():
        period: dict[str, Any] = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01")}
        await world.add("mdf_budget", budget_id=fund, claim_deadline=deadline and day(deadline), **period)
        await world.add("mdf_allocation", allocation_id=fund, budget_id=fund, partner_id="a", amount=1000)
    for request_id, row in story.requests.items():
        await world.add("mdf_request", request_id=request_id, partner_id="a", **row)
    for source_id, row in story.claims.items():
        await world.add("mdf_claim", source_id=source_id, partner_id="a", **row)


def happened(moment: datetime | None) -> bool:
    return moment is not None and moment <= AS_OF


class Balances:
    """Paid, owed, reserved and unbudgeted, one claim and one request after the other."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.seen = {name: claim for name, claim in story.claims.items() if happened(claim["submitted_at"])}
        self.paid = self.owed = self.reserved = self.unbudgeted = 0.0
        approved = {
            name: request
            for name, request in story.requests.items()
            if request["decision"] == "approved" and happened(request["decided_at"])
        }
        for name, request in approved.items():
            self._request(request, [one for one, claim in self.seen.items() if claim["request_id"] == name])
        for name, claim in self.seen.items():
            if claim["request_id"] not in approved:
                asked = story.requests.get(claim["request_id"] or "", {})
                paid = claim["paid_amount"] if happened(claim["paid_at"]) else 0
                self._book(asked.get("allocation_id"), paid, self._owed(name), 0)

    def void(self, claim: dict[str, Any]) -> bool:
        return (claim["decision"] == "rejected" and happened(claim["decided_at"])) or happened(claim["withdrawn_at"])

    def duplicate(self, name: str) -> bool:
        claim = self.seen[name]
        return claim["invoice_ref"] is not None and any(
            other["invoice_ref"] == claim["invoice_ref"]
            and not self.void(other)
            and (other["submitted_at"], before) < (claim["submitted_at"], name)
            for before, other in self.seen.items()
        )

    def _owed(self, name: str) -> float:
        claim = self.seen[name]
        live = claim["decision"] == "approved" and happened(claim["decided_at"]) and not self.void(claim)
        if not live or happened(claim["paid_at"]) or self.duplicate(name):
            return 0
        share = 1 - float(self.story.requests[claim["request_id"]]["copay_share"]) if claim["request_id"] else 1
        return float(min(claim["approved_amount"], claim["claimed_amount"] * share))

    def _settles(self, name: str) -> bool:
        claim = self.seen[name]
        approved = claim["decision"] == "approved" and happened(claim["decided_at"]) and not self.void(claim)
        return claim["settles_request"] and (happened(claim["paid_at"]) or (approved and not self.duplicate(name)))

    def _request(self, request: dict[str, Any], names: list[str]) -> None:
        claims = [self.seen[name] for name in names]
        paid = sum(claim["paid_amount"] for claim in claims if happened(claim["paid_at"]))
        wanted = sum(map(self._owed, names))
        room = max(request["approved_amount"] - paid, 0)
        deadline = FUNDS.get(request["allocation_id"] or "")
        closes = at(deadline) + timedelta(days=1) if deadline else None
        left = 0 if happened(request["released_at"]) or any(map(self._settles, names)) else max(room - wanted, 0)
        if closes is not None and closes <= AS_OF:
            left = min(left, sum(self._awaited(name) for name in names if self.seen[name]["submitted_at"] < closes))
        self._book(request["allocation_id"], paid, min(wanted, room), left)

    def _awaited(self, name: str) -> float:
        """What a claim that is neither paid nor owed may still come to, as long as it was not turned down."""
        claim = self.seen[name]
        if self.void(claim) or happened(claim["paid_at"]) or self._owed(name):
            return 0
        share = 1 - float(self.story.requests[claim["request_id"]]["copay_share"])
        approved = claim["decision"] == "approved" and happened(claim["decided_at"])
        return float(min(claim["claimed_amount"] * share, claim["approved_amount"] if approved else float("inf")))

    def _book(self, fund: str | None, paid: float, owed: float, reserved: float) -> None:
        if fund is None:
            self.unbudgeted += paid + owed + reserved
        else:
            self.paid, self.owed, self.reserved = self.paid + paid, self.owed + owed, self.reserved + reserved


@pytest.mark.parametrize("seed", range(4))
async def test_agrees_with_the_definition_written_a_second_time(world: World, seed: int) -> None:
    story = Story(seed)
    await told(world, story)
    parts, expected = (await world.reading(SPEND, "a", during=Q1, as_of=AS_OF)).parts, Balances(story)
    found = [parts[name] for name in ("paid", "approved_unpaid", "reserved", "unbudgeted")]
    assert found == pytest.approx([expected.paid, expected.owed, expected.reserved, expected.unbudgeted])
    assert min(found) > 0
    doubtful = [name for name, claim in expected.seen.items() if expected.duplicate(name) and not expected.void(claim)]
    assert parts["duplicate_invoices"] == len(doubtful) > 0
