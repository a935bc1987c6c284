"""What a webhook is sent: a notice as a CloudEvent, or as a message that Slack shows."""

from __future__ import annotations

import json
import re
from typing import Any

from activities.letters import Letter, waits_for

KINDS = {
    "communicate": "what will change, to the plan's audiences",
    "confirm": "owners are asked to confirm their ownership",
    "awaiting": "a gate waits for your decision",
    "reminder": "that decision is due soon",
    "escalation": "that decision is overdue",
    "agreement": "a stop or an override waits for another owner's agreement",
    "checkpoint-due": "a review checkpoint is due",
    "checkpoint-missed": "it was not held in time, so the rollout holds",
    "paused": "a guardrail, a person or a rejection paused the rollout",
    "resumed": "it goes on",
    "warning": "a metric is beyond a limit that only warns, or is about to breach one that pauses",
    "data-untrusted": "the data behind a metric turned red: until they are trusted, it passes and pauses nothing",
    "watch-silent": "nobody has looked at the numbers for too long, so the rollout holds",
    "workflow-alarm": "somebody terminated, deleted, reset or paused its workflow in Temporal itself",
    "stopping": "it ends early, and cohorts are being withdrawn",
    "stopped": "it has ended early",
    "completed": "it has ended as planned",
}
"""Every kind of notice. A kind never changes its meaning: that would be a new version of its event."""

_FORMERLY = {"review": "checkpoint-due", "silent": "watch-silent"}
"""What rollouts that began with an earlier release call them."""

VERSION = 1

HEADLINE, PARAGRAPH = 150, 3000
"""Characters that Slack takes in a header and in a section."""


def kind_of(letter: Letter) -> str:
    """The kind of notice, by its name of today."""
    return _FORMERLY.get(letter.kind, letter.kind)


def event_type(kind: str) -> str:
    """The type of the events of a kind."""
    return f"io.partner-rollouts.rollout.{kind}.v{VERSION}"


def cloudevent(letter: Letter, target: str) -> bytes:
    """The notice in the JSON format of CloudEvents 1.0, the same bytes at every attempt.

    `time` is real time; the times in `data` are the programme's. `due` is None where nothing is due.
    """
    about = letter.about
    data = {
        "rollout": letter.rollout_id,
        "chain": letter.chain_id,
        "title": about.get("title"),
        "kind": kind_of(letter),
        "subject": letter.subject,
        "text": letter.body,
        **{name: about.get(name) for name in ("status", "phase", "wave", "cause", "gate", "programme_at", "due")},
        "must_act": about.get("must_act", []),
        "plan_digest": about.get("plan_digest"),
        "evidence_digest": about.get("evidence_digest"),
        "log": about.get("log"),
        "link": letter.link,
    }
    return _json(
        {
            "specversion": "1.0",
            "id": letter.name_for(target),
            "source": "/partner-rollouts",
            "type": event_type(kind_of(letter)),
            "subject": f"rollout/{letter.rollout_id}",
            "time": letter.written_at.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def slack_message(letter: Letter) -> bytes:
    """The notice as the body of a Slack-compatible incoming webhook: a text, and blocks that say the same."""
    told = [f"*Waiting for:* {slack_text(waits)}" if (waits := waits_for(letter.about)) else None]
    told += [f"*Due:* {slack_text(str(due))} (programme time)" if (due := letter.about.get("due")) else None]
    told += [f"<{letter.link}|Open the rollout>" if letter.link else None]
    headline = letter.line if len(letter.line) <= HEADLINE else f"{letter.line[: HEADLINE - 1]}…"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": False}},
        _section(slack_text(letter.body or letter.line)),
    ]
    blocks += [_section(line) for line in told if line]
    return _json({"text": slack_text(letter.line), "blocks": blocks})


def slack_text(text: str, most: int = PARAGRAPH) -> str:
    """Text in which Slack sees no mention and no link, in at most so many characters."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe if len(safe) <= most else re.sub("&[a-z]*$", "", safe[: most - 1]) + "…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
