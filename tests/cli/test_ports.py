"""Where `up` listens: what is asked for is had or refused by its option, and what is elsewhere is told."""

from __future__ import annotations

import pytest

from cli.output import CliError, Exit
from cli.ports import USUAL, Wanted, elsewhere, require_ports
from deploy.embedded import stack
from deploy.embedded.processes import free_port


def test_two_servers_cannot_have_one_port() -> None:
    port = free_port()
    with pytest.raises(CliError, match=f"--port-temporal and --port-console are both {port}; each") as refused:
        require_ports({"temporal": port, "console": port})
    assert refused.value.code == Exit.BAD_INPUT
    require_ports({"temporal": port})


def test_whoever_did_not_say_where_is_told_where_nobody_would_look() -> None:
    found = {**USUAL, "ui": 40001, "console": 40002}
    fresh = dict.fromkeys(USUAL, True)
    assert list(elsewhere(Wanted(console=40002), found, fresh)) == [
        "Temporal's Web UI listens on port 40001, since somebody else has 8233; --port-ui names another."
    ]
    # What ran already was told of when it was started.
    assert not list(elsewhere(Wanted(console=40002), found, dict.fromkeys(USUAL, False)))


def test_the_usual_ports_are_those_of_the_servers() -> None:
    there = (stack.POSTGRES_PORT, stack.TEMPORAL_PORT, stack.UI_PORT)
    assert (USUAL["postgres"], USUAL["temporal"], USUAL["ui"]) == there
