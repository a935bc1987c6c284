"""The embedded service of `up`: its keys, where it listens, and when it answers."""

from __future__ import annotations

import asyncio
import os
import socket
import urllib.error
import urllib.request

from cli.home import Place
from cli.output import CliError, Exit, one_line
from cli.ports import USUAL, taken
from console import LOOPBACK
from models.names import DEPLOYMENT

SECONDS = 60.0
"""Real seconds the service gets until it answers."""


def ensure_keys(place: Place) -> None:
    """The key that the embedded service signs with, its public part for the worker, and the key of the worker's own,
    which signs the decision log.

    Raises:
        CliError: they cannot be written.
    """
    from console.signing import generate
    from worker.log_key import generate as generate_log_key
    from worker.settings import SettingsError

    try:
        if not (place.signing_key.exists() and place.decision_keys.exists()):
            generate(place.signing_key, place.decision_keys, replace=True)
        if not place.log_key.exists():
            deployment = os.environ.get("ROLLOUTS_DEPLOYMENT") or DEPLOYMENT
            generate_log_key(place.log_key, place.log_vkeys, deployment)
    except SettingsError as problem:
        raise CliError(str(problem)) from problem


class _Taken(Exception):
    """Somebody else listens where it should have."""


def _free_place(*ports: int) -> str:
    """The first of these places that is free; 0 is any."""
    host = LOOPBACK.rpartition(":")[0]
    for port in ports:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, port))
            except OSError:
                continue
            return f"{host}:{tried.getsockname()[1]}"
    if 0 not in ports:
        raise taken("console", ports[-1])
    raise CliError(f"No port of {host} is free.", Exit.UNAVAILABLE)


async def start(place: Place, port: int | None = None) -> None:
    """Start the service at the usual address, or with any free port where another one has that; it answers then.

    Args:
        port: this one and no other.

    Raises:
        CliError: it ends instead, or takes too long, or somebody else has that port.
    """
    for ports in ((port,),) if port else ((USUAL["console"], 0), (0,), (0,)):
        said = place.console_log.stat().st_size if place.console_log.exists() else 0
        place.start_console(_free_place(*ports))
        try:
            await _answers(place, said)
            return
        except _Taken:
            # Between looking and listening somebody else came, such as another `up`.
            continue
    if port:
        raise taken("console", port)
    raise CliError(f"The console finds no free port; see {place.console_log}.", Exit.UNAVAILABLE)


async def _answers(place: Place, said: int) -> None:
    """Wait until the service just started answers, which has put `said` bytes into its log before."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SECONDS
    while True:
        found = place.console()
        words = _words(place, said)
        if found is None:
            if "in use" in words:
                raise _Taken
            raise CliError(f"The console ended: {_last(words)}; see {place.console_log}.")
        # Its own word as well: another service may answer there, and this one not have noticed yet.
        if f"Listening at {found[1]}\n" in words and await asyncio.to_thread(_alive, found[1]):
            return
        if loop.time() > until:
            raise CliError(f"The console does not answer after {SECONDS:g} s; see {place.console_log}.")
        await asyncio.sleep(0.1)


def _alive(url: str) -> bool:
    try:
        # Without the environment's proxies: it is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _words(place: Place, said: int) -> str:
    """What the service has said since."""
    try:
        return place.console_log.read_bytes()[said:].decode("utf-8", "replace")
    except OSError:
        return ""


def _last(words: str) -> str:
    lines = words.splitlines()
    return one_line(lines[-1])[:300] if lines else "it said nothing"
