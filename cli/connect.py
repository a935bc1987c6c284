"""Which Temporal a command talks to, and the connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.home import ADDRESS, Place
from cli.output import CliError, Exit, one_line

if TYPE_CHECKING:
    from console.gateway import Gateway


async def open_gateway(place: Place) -> Gateway:
    """Connect to the embedded Temporal, or to the one that the environment and Temporal's profiles name.

    Raises:
        CliError: nobody says where it is.
        GatewayError: it cannot be reached.
    """
    from console.gateway import Gateway
    from worker.settings import SettingsError, least_retention

    try:
        least = least_retention()
    except SettingsError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    return await Gateway.open(**connection_of(place), least_retention=least)


def connection_of(place: Place) -> dict[str, Any]:
    """Arguments for connecting. A server that merely happens to listen on the usual port is not taken for ours."""
    from temporalio.envconfig import ClientConfig

    embedded = place.temporal
    if embedded is not None:
        return {"target_host": embedded[0], "namespace": embedded[1]}
    config: dict[str, Any] = {}
    if not place.own:
        try:
            config = {**ClientConfig.load_client_connect_config()}
        except (RuntimeError, ValueError, OSError) as problem:
            told = one_line(str(problem))[:200].rstrip(".") or "no answer"
            raise CliError(f"Temporal's settings cannot be read: {told}.", Exit.BAD_INPUT) from problem
    if not config.get("target_host"):
        raise CliError(
            f"No servers: {ADDRESS} is not set and none run in {place.home}; start some with `rollouts up`.",
            Exit.UNAVAILABLE,
        )
    return config
