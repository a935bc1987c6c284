"""What `doctor` looks at of the console: whether it answers, who says there who people are, whose signature counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cli.home import Place
from cli.output import one_line
from cli.trouble import NotHere, Trouble
from models.base import many

if TYPE_CHECKING:
    import httpx2

    from models.claims import DecisionKeys, PublicKey

URL = "ROLLOUTS_PUBLIC_URL"
SIGNING = "ROLLOUTS_SIGNING_KEY"
PUBLIC = "ROLLOUTS_DECISION_KEYS"

SECONDS = 5.0
"""Real seconds the service gets for one answer."""


async def console(place: Place) -> str:
    """Who can do what there.

    Raises:
        NotHere: nobody says where there is one.
        Trouble: it does not answer, or not as the service does.
    """
    embedded = _embedded(place)
    url = embedded or os.environ.get(URL, "").rstrip("/")
    if not url:
        raise NotHere(f"{URL} names no console, and none runs in {place.home}")
    log = f"`rollouts up` starts it again; its log is {place.console_log}." if embedded else "see whether it runs."
    import httpx2

    # What is embedded is on this machine; a proxy would look for it on its own.
    async with httpx2.AsyncClient(base_url=url, timeout=SECONDS, trust_env=embedded is None) as client:
        try:
            return f"answers at {url}: {await _people(client)}"
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            told = one_line(str(problem))[:200] or type(problem).__name__
            raise Trouble(f"does not answer at {url} ({told})", log) from problem


def _embedded(place: Place) -> str | None:
    """Where the one that `up` starts is; None where servers are meant that it does not belong to.

    Raises:
        Trouble: it should run and does not.
    """
    if place.temporal is None:
        return None
    found = place.console()
    if found is None:
        told = f"`rollouts up` starts it again; {place.console_log} says why it ended."
        raise Trouble(f"does not run beside the servers in {place.home}", told)
    return found[1]


async def _people(client: httpx2.AsyncClient) -> str:
    ready = await client.get("/readyz")
    if ready.status_code != 200:
        told = one_line(ready.text)[:200]
        raise Trouble(f"runs, but is not ready: {ready.status_code} {told}", "look at its PostgreSQL and its log.")
    known = await client.get("/v1/me")
    if known.status_code == 404:
        return "takes events; nobody can sign in there (docs/console.md says how that is set up)"
    if known.status_code != 401:
        told = f"asked who is signed in, it says {known.status_code} where nobody is"
        raise Trouble(told, f"{URL} should be the console's own address, as browsers reach it.")
    dev = await client.get("/dev-issuer/.well-known/openid-configuration")
    if dev.status_code == 200:
        return "anybody on its machine signs in as anybody (the issuer for trying things out)"
    return f"people sign in at {os.environ.get('ROLLOUTS_OIDC_ISSUER') or 'its issuer'}"


class _Files(NamedTuple):
    signing: Path | None
    public: Path | None


def _files(place: Place) -> _Files:
    """The files as console and worker of this place are given them: the embedded ones have those of the directory."""
    named = {name: Path(value) for name in (SIGNING, PUBLIC) if (value := os.environ.get(name))}
    if place.temporal is None:
        return _Files(named.get(SIGNING), named.get(PUBLIC))
    return _Files(place.signing_key, named.get(PUBLIC, place.decision_keys))


async def keys(place: Place) -> str:
    """Whether workers would believe what the console signs.

    Raises:
        NotHere: neither key is here.
        Trouble: a file cannot be used, or the key that signs is none that is believed.
    """
    files = _files(place)
    if files.signing is None and files.public is None:
        raise NotHere(f"neither {SIGNING} nor {PUBLIC} is set here")
    public = _public(files.public) if files.public else None
    if files.signing is None and public is not None:
        return f"{_many(public)} in {files.public}; the private one is not here, and need not be"
    signs = _signs(files.signing or Path())
    if public is None:
        return f"signs with {signs.kid}; {PUBLIC} is not set here, so compare it with `rollouts keys sign list` there"
    believed = next((one for one in public.keys if one.kid == signs.kid), None)
    if believed is None or believed.x != signs.x:
        raise Trouble(
            f"{files.signing} signs with {signs.kid}, which is not among the keys of {files.public}",
            "no decision would be believed: bring the public keys that belong to it to every worker "
            "(`rollouts keys sign rotate` makes both anew).",
        )
    return f"signs with {signs.kid}, which is among {_many(public)} that are believed"


def _many(public: DecisionKeys) -> str:
    return many(len(public.keys), "public key")


def _signs(file: Path) -> PublicKey:
    from console.signing import load_signer
    from models.names import DEPLOYMENT
    from worker.settings import SettingsError

    try:
        return load_signer(file, DEPLOYMENT).public
    except SettingsError as problem:
        raise Trouble(str(problem), "`rollouts keys sign generate` makes a key that can be used.") from problem


def _public(file: Path) -> DecisionKeys:
    from activities.trust import Unusable, read_keys
    from models.names import DEPLOYMENT

    try:
        return read_keys(file, DEPLOYMENT)
    except Unusable as problem:
        told = "`rollouts keys sign generate` writes it beside the private key; workers are given it, and it alone."
        raise Trouble(str(problem), told) from problem
