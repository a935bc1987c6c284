"""The file of people: who of those the issuer vouches for may do more than the plans say, and what plans call them.

Owners need no entry: a plan names them itself. What the file gives is to start rollouts, to pause and stop in an
emergency, and the identity of somebody whose issuer does not say a verified e-mail address.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from models.base import Frozen
from models.owner import Identity
from store.intake.yaml_text import YamlRefused, read_yaml
from worker.settings import SettingsError

LARGEST = 2**20
"""Bytes of the file at most."""

Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Issuer = Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$", max_length=300)]


class Permission(StrEnum):
    """What nobody may who only owns a plan: start a rollout that others own; pause and stop what others own."""

    START = "start"
    BREAK_GLASS = "break_glass"


class Known(Frozen):
    """One person: `issuer` and `subject` say who it is."""

    issuer: Issuer
    subject: Subject
    name: Named
    may: tuple[Permission, ...] = ()
    identity: Identity | None = None


class _File(Frozen):
    people: tuple[Known, ...] = Field(min_length=1)


class People:
    """Everybody the file names."""

    def __init__(self, known: tuple[Known, ...] = ()) -> None:
        self._known = {(one.issuer, one.subject): one for one in known}

    def find(self, issuer: str, subject: str) -> Known | None:
        """The entry of a person, None where there is none."""
        return self._known.get((issuer, subject))

    def may(self, issuer: str, subject: str, what: Permission) -> bool:
        """Whether the file lets a person do this."""
        found = self.find(issuer, subject)
        return found is not None and what in found.may


def load_people(path: Path) -> People:
    """Everybody a file names.

    Raises:
        SettingsError: it cannot be read; the message names file, line and field.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise SettingsError(f"{path} has more than {LARGEST} bytes; that is no file of people")
        plain, places = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path} cannot be read: {problem}") from problem
    except YamlRefused as problem:
        raise SettingsError(f"{path}:{problem.line}: {problem}") from problem
    try:
        # YAML has text only here, so that nothing is made of `no` or `007`; JSON mode takes lists for tuples.
        file = _File.model_validate(plain, strict=False)
    except ValidationError as problem:
        told = [_told(path, one, places) for one in problem.errors(include_url=False)]
        raise SettingsError("\n".join(told)) from None
    _refuse_twins(path, file.people, places)
    return People(file.people)


def _told(path: Path, error: Any, places: dict[tuple[str | int, ...], tuple[int, int]]) -> str:
    where = tuple(error["loc"])
    known = where
    while known and known not in places:
        known = known[:-1]
    line = places.get(known, (1, 1))[0]
    field = ".".join(map(str, where)) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{path}:{line}: {field} is no field of it; allowed: {', '.join(Known.model_fields)}"
    if error["type"] == "missing":
        return f"{path}:{line}: {field} is missing"
    return f"{path}:{line}: {field} is {str(error['input'])[:80]!r}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _refuse_twins(path: Path, people: tuple[Known, ...], places: dict[tuple[str | int, ...], tuple[int, int]]) -> None:
    """One person stands in one place, and an identity means one person."""
    seen: dict[object, int] = {}
    for index, one in enumerate(people):
        line = places[("people", index)][0]
        keys: list[tuple[object, str]] = [((one.issuer, one.subject), f"people.{index}.subject {one.subject!r}")]
        if one.identity:
            keys.append((one.identity.casefold(), f"people.{index}.identity {one.identity!r}"))
        for key, field in keys:
            if key in seen:
                raise SettingsError(f"{path}:{line}: {field} stands on line {seen[key]} already; allowed: once")
            seen[key] = line
