"""Reads the file that names the webhooks: strictly, and with file, line and field of whatever is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import SecretStr

from activities.envelope import KINDS
from activities.outward import Refused, destination
from activities.webhooks import Form, Webhook, key_of
from worker.private import NotPrivate, read_private

FIELDS = {
    "name": "what the outbox calls it; it never changes, for a new name would be sent everything that waits once more",
    "url": "where to post: https, and a public address",
    "form": "`cloudevents` (the default) or `slack`",
    "secret": "`whsec_` and base64 of 24 to 64 bytes; a list signs with each of them, while one replaces the other",
    "secret_file": "a file with such secrets, one a line, in place of `secret`; beside this file if it is relative",
    "kinds": "a list of the kinds of notices that are posted; without it all of them are",
}
"""What a webhook may say of itself, and what it means."""

LARGEST = 2**20
"""Bytes of a file that are read."""

MOST = 50
"""Webhooks in a file."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class WebhooksError(Exception):
    """The file cannot be used; one line for each fault, and never a secret in it."""


class _Fault(NamedTuple):
    line: int
    field: str
    why: str


def read_webhooks(file: Path, *, loopback: bool = False) -> tuple[Webhook, ...]:
    """The webhooks of a file.

    Args:
        loopback: allow http, and addresses of this machine.

    Raises:
        WebhooksError: naming file, line and field of each fault.
    """
    try:
        root = yaml.compose(read_private(file, LARGEST).decode(), Loader=yaml.SafeLoader)
    except NotPrivate as problem:
        # An address of Slack's is a secret, too.
        raise WebhooksError(f"{file}: {problem}") from None
    except UnicodeDecodeError:
        raise WebhooksError(f"{file}: it cannot be read: it is not UTF-8") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise WebhooksError(f"{file}{line}: it is no YAML: {getattr(problem, 'problem', None) or problem}") from None
    faults: list[_Fault] = []
    found = tuple(_entries(root, file, loopback, faults))
    if faults:
        raise WebhooksError("\n".join(f"{file}:{one.line}: {one.field}: {one.why}" for one in faults))
    return found


def _entries(root: Any, file: Path, loopback: bool, faults: list[_Fault]) -> Iterator[Webhook]:
    top = _mapping(root, "webhooks", {"webhooks"}, faults)
    listed = top.get("webhooks")
    if not isinstance(listed, yaml.SequenceNode) or not 1 <= len(listed.value) <= MOST:
        if not faults:
            faults.append(_Fault(_line(listed or root), "webhooks", f"a list of 1 to {MOST} webhooks is expected"))
        return
    names: set[str] = set()
    for number, node in enumerate(listed.value):
        entry = _Entry(node, f"webhooks[{number}]", file.parent, faults)
        webhook = entry.read(loopback)
        if webhook is None:
            continue
        if webhook.name in names:
            entry.fault("name", f"{webhook.name} is there already")
        names.add(webhook.name)
        yield webhook


class _Entry:
    """One webhook of the file, read field by field."""

    def __init__(self, node: Any, path: str, folder: Path, faults: list[_Fault]) -> None:
        self._path, self._folder, self._faults, self._node = path, folder, faults, node
        self._before = len(faults)
        self._fields = _mapping(node, path, set(FIELDS), faults)

    def fault(self, field: str, why: str) -> None:
        node = self._fields.get(field) or self._node
        self._faults.append(_Fault(_line(node), f"{self._path}.{field}", why))

    def read(self, loopback: bool) -> Webhook | None:
        name = self._text("name", required=True)
        if name and not _NAME.fullmatch(name):
            self.fault("name", "small letters, digits and hyphens are allowed, 40 at most")
        url = self._text("url", required=True)
        to = None
        if url:
            try:
                to = destination(url, loopback=loopback)
            except Refused as refused:
                self.fault("url", str(refused))
        form = self._text("form") or Form.CLOUDEVENTS.value
        if form not in set(Form):
            self.fault("form", f"it is none of {', '.join(Form)}")
        kinds, secrets = self._kinds(), self._secrets()
        if form == Form.CLOUDEVENTS and not secrets and len(self._faults) == self._before:
            self.fault("secret", "events are signed: secret or secret_file is missing")
        if len(self._faults) > self._before or not name or to is None:
            return None
        return Webhook(name=name, to=to, form=Form(form), kinds=kinds, secrets=tuple(SecretStr(one) for one in secrets))

    def _text(self, field: str, *, required: bool = False) -> str:
        node = self._fields.get(field)
        if node is None:
            if required and isinstance(self._node, yaml.MappingNode):
                self.fault(field, f"it is missing: {FIELDS[field]}")
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str" or not node.value:
            self.fault(field, "a text is expected")
            return ""
        return str(node.value)

    def _texts(self, field: str) -> list[str]:
        node = self._fields.get(field)
        if not isinstance(node, yaml.SequenceNode):
            return [one] if (one := self._text(field)) else []
        if not node.value or any(not isinstance(one, yaml.ScalarNode) for one in node.value):
            self.fault(field, "a list of texts is expected")
            return []
        return [str(one.value) for one in node.value]

    def _kinds(self) -> frozenset[str] | None:
        if "kinds" not in self._fields:
            return None
        found = self._texts("kinds")
        for one in found:
            if one not in KINDS:
                self.fault("kinds", f"{one[:40]} is none of {', '.join(KINDS)}")
        return frozenset(found)

    def _secrets(self) -> list[str]:
        found, field = self._texts("secret"), "secret"
        if "secret_file" in self._fields:
            if found:
                self.fault("secret_file", "secret is there already; one of them is enough")
            field, name = "secret_file", self._text("secret_file")
            try:
                found = read_private(self._folder / name, LARGEST).decode().split() if name else []
            except (NotPrivate, UnicodeDecodeError) as problem:
                told = str(problem) if isinstance(problem, NotPrivate) else "it cannot be read: it is not UTF-8"
                self.fault(field, told)
                return []
            if name and not found:
                self.fault(field, "it is empty")
        for one in found:
            try:
                key_of(one)
            except ValueError as problem:
                self.fault(field, str(problem))
        return found


def _mapping(node: Any, path: str, allowed: set[str], faults: list[_Fault]) -> dict[str, Any]:
    """The fields of a mapping; unknown ones, repeated ones and what is no mapping are faults."""
    if not isinstance(node, yaml.MappingNode):
        faults.append(_Fault(_line(node), path, f"fields are expected: {', '.join(sorted(allowed))}"))
        return {}
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        if name not in allowed:
            why = f"it is no field here; allowed are {', '.join(sorted(allowed))}"
            faults.append(_Fault(_line(key), f"{path}.{name[:40]}", why))
        elif name in found:
            faults.append(_Fault(_line(key), f"{path}.{name}", "it is there twice"))
        found[name] = value
    return found


def _line(node: Any) -> int:
    return node.start_mark.line + 1 if node is not None else 1
