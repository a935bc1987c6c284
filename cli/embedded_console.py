"""The embedded service of `up`: its keys, where it listens, and when it answers."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request

from cli.home import Place
from cli.output import CliError, Exit, one_line
from console import LOOPBACK

SECONDS = 60.0
"""Real seconds the service gets until it answers."""


def ensure_keys(place: Place) -> None:
    """A key that the embedded service signs with, and its public part for the worker.

    Raises:
        CliError: they cannot be written.
    """
    from console.signing import generate
    from worker.settings import SettingsError

    if place.signing_key.exists() and place.decision_keys.exists():
        return
    try:
        generate(place.signing_key, place.decision_keys, replace=True)
    except SettingsError as problem:
        raise CliError(str(problem)) from problem


def free_place() -> str:
    """The usual address, or one with a free port where another service has that."""
    host, _, usual = LOOPBACK.rpartition(":")
    for port in (int(usual), 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, port))
            except OSError:
                continue
            return f"{host}:{tried.getsockname()[1]}"
    raise CliError(f"No port of {host} is free.", Exit.UNAVAILABLE)


async def answers(place: Place) -> None:
    """Wait until the service just started answers.

    Raises:
        CliError: it ended instead, or takes too long.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + SECONDS
    while True:
        found = place.console()
        if found is None:
            raise CliError(f"The console ended: {last_words(place)}; see {place.console_log}.")
        if await asyncio.to_thread(_alive, found[1]):
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


def last_words(place: Place) -> str:
    """What the service said last."""
    try:
        lines = place.console_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return one_line(lines[-1])[:300] if lines else "it said nothing"
