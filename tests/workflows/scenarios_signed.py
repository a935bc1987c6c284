"""The paths of rollouts whose decisions are signed, and all paths together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from models.command import COMMANDS, Verb
from models.log import Outcome
from models.plan import Fate
from models.rollout import Status
from tests.plans import ISSUER, signed_plan, subject_of
from tests.signing import Pen, Signed
from tests.workflows.live import Live
from tests.workflows.scenarios import SCENARIOS, Pool, Scenario, automatic_stop, collapse, pilot_enrolled, soon
from tests.workflows.scenarios_asked import ASKED
from tests.workflows.scenarios_closing import CLOSING
from tests.workflows.scenarios_each import EACH
from tests.workflows.scenarios_kept import KEPT
from tests.workflows.scenarios_once import ONCE

DANA = "dana.deputy@example.com"


async def signed_decisions(live: Live, pool: Pool) -> None:
    """Forged requests change nothing; keys are changed on the way; somebody stands in; what was signed enrols."""
    service = live.service
    assert service is not None
    await _until_started(live)
    forged = await live.ask(Verb.CONFIRM_OWNERSHIP, "sponsor", role="sponsor", token=None)
    assert (forged.outcome, "no signature proves" in forged.message) == (Outcome.REFUSED, True)
    await live.confirm_all()
    gate = (await live.until_status(Status.AWAITING_APPROVAL)).gate
    assert gate is not None
    said = {"gate": gate.key, "choice": "approve", "plan_digest": live.plan.digest, "evidence_digest": gate.digest}
    elsewhere = await live.signed(Verb.DECIDE, live.payload("sponsor", **said), chain="another-chain")
    await live.handle.signal("decide", elsewhere)
    assert "an earlier or later rollout" in (await live.answer(elsewhere)).message
    stranger = Signed(live.plan, service.signs.chain, Pen("made-up"))
    command = COMMANDS[Verb.DECIDE].model_validate_json(json.dumps(live.payload("sponsor", **said)))
    token = stranger.request(Verb.DECIDE, command, await live.env.get_current_time())
    assert (await live.ask(Verb.DECIDE, "sponsor", **said, token=token)).outcome is Outcome.REFUSED
    service.rotate()
    given = {"identity": DANA, "name": "Dana Deputy", "issuer": ISSUER, "subject": subject_of(DANA)}
    until = (await live.view()).programme_now + timedelta(days=60)
    receipt = await live.ask(Verb.DELEGATE, "finance_owner", until=until.isoformat(), **given)
    assert receipt.outcome is Outcome.APPLIED, receipt
    await live.decide("sponsor")
    await live.until_phase("pilot")
    await live.days(15)
    await live.ask(Verb.REVIEW, "sponsor")
    await live.until_phase("validate")
    await live.decide("sponsor")
    gate = (await live.until_status(Status.AWAITING_APPROVAL)).gate
    assert gate is not None
    said = {"gate": gate.key, "choice": "approve", "plan_digest": live.plan.digest, "evidence_digest": gate.digest}
    vote = await live.signed(Verb.DECIDE, live.payload(DANA, **said), role="finance_owner", name="Dana Deputy")
    await live.handle.signal("decide", vote)
    assert (await live.answer(vote)).outcome is Outcome.APPLIED
    await live.until_phase("scale", 1)
    await live.decide("sponsor")
    await live.until_phase("scale", 2)
    await live.ask(Verb.REVIEW, "sponsor")
    result = await live.handle.result()
    assert (result.status, result.enrolled) == (Status.COMPLETED, ("pilot", "wave-one", "wave-two"))
    assert await pool.fetchval("select decisions from rollout where rollout_id = $1", live.plan.id) == "signed"
    entries = [row["entry"] for row in await live.stored_log(pool)]
    assert len([one for one in entries if one.get("token") and one.get("signed_by")]) > 10


async def signed_glass(live: Live, pool: Pool) -> None:
    """Somebody the plan does not name breaks the glass and stops the rollout, which takes the pilot back."""
    await _until_started(live)
    await live.confirm_all()
    await live.decide("sponsor")
    await live.until_phase("pilot")
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    role = {"role": "break-glass", "name": "On Call"}
    stop: dict[str, Any] = {"resolution": _keeping(Fate.WITHDRAW)}
    for verb, said in ((Verb.PAUSE, {}), (Verb.STOP, stop)):
        payload = await live.signed(verb, live.payload("on.call@example.com", **said), **role)
        await live.handle.signal(verb, payload)
        assert (await live.answer(payload)).outcome is Outcome.APPLIED
    assert (await live.handle.result()).withdrawn == ("pilot",)
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 0


async def signed_late_key(live: Live, pool: Pool) -> None:
    """The pause bears the signature of a key that nobody knows yet. Before the keys may be asked for again an owner
    whose key is known stops the rollout: who asked to pause is answered all the same."""
    service = live.service
    assert service is not None
    await _until_started(live)
    await live.confirm_all()
    await live.decide("sponsor")
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    late, pause = Signed(live.plan, service.signs.chain, Pen("late")), live.payload("sponsor")
    command = COMMANDS[Verb.PAUSE].model_validate_json(json.dumps(pause))
    pause["token"] = late.request(Verb.PAUSE, command, await live.env.get_current_time())
    await live.handle.signal("pause", pause)
    await live.signal(Verb.STOP, "sponsor", resolution=_keeping(Fate.KEEP))
    assert (await live.handle.result()).status == Status.STOPPED
    stored = [row["entry"] for row in await live.stored_log(pool)]
    told = [one["refusal"] for one in stored if one["request_id"] == pause["request_id"]]
    assert told == ["the rollout is stopped; nothing changes it any more"]


def _keeping(current: Fate) -> dict[str, str]:
    return {"finished": "keep", "current": current.value, "pending": "keep"}


async def _until_started(live: Live) -> None:
    async def started(live: Live) -> bool:
        return any(entry.message.startswith("Started by") for entry in await live.log())

    await soon(live, started, "its start is not proven")


SIGNED: dict[str, Scenario] = {
    "signed": Scenario(signed_decisions, signed_plan),
    "signed_glass": Scenario(signed_glass, signed_plan),
    "signed_late_key": Scenario(signed_late_key, signed_plan),
    "signed_automatic_stop": Scenario(automatic_stop, signed_plan, (collapse,)),
}

PATHS = SCENARIOS | ASKED | SIGNED | CLOSING | KEPT | EACH | ONCE
