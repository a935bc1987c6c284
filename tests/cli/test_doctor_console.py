"""What `doctor` says of the console: real services over HTTP, and keys in files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cli.doctor_console import console, keys
from cli.home import Place
from cli.trouble import NotHere, Trouble
from console.gateway import Gateway
from console.server import serve
from console.settings import ConsoleSettings, listen, place_of
from console.signing import generate
from console.site import real_site
from tests.console.visitors import NOWHERE, serving, serving_on

SETTINGS = ConsoleSettings()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A directory without servers, and an environment that names nothing."""
    for name in ("ROLLOUTS_PUBLIC_URL", "ROLLOUTS_SIGNING_KEY", "ROLLOUTS_DECISION_KEYS", "TEMPORAL_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path / "home")


async def test_it_says_that_anybody_signs_in_where_the_issuer_is_for_trying_out(
    place: Place, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(database, SETTINGS) as site:
        monkeypatch.setenv("ROLLOUTS_PUBLIC_URL", site.url)
        assert await console(place) == (
            f"answers at {site.url}: anybody on its machine signs in as anybody (the issuer for trying things out)"
        )


async def test_it_says_that_nobody_signs_in_where_events_alone_are_taken(
    place: Place, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, started = asyncio.Event(), asyncio.Event()
    with listen("127.0.0.1:0") as listening:
        running = asyncio.create_task(serve(database, SETTINGS, listening, started.set, stop))
        await asyncio.wait_for(started.wait(), 30)
        monkeypatch.setenv("ROLLOUTS_PUBLIC_URL", f"http://{place_of(listening)}")
        assert "nobody can sign in there" in await console(place)
        stop.set()
        await running


async def test_it_names_a_real_issuer(place: Place, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ConsoleSettings(
        public_url="http://127.0.0.1:8320",
        oidc_issuer="https://login.example.com",
        oidc_client_id="rollouts",
        signing_key=_pair(place)[0],
    )
    gateway = await Gateway.open(NOWHERE, lazy=True)
    with listen("127.0.0.1:0") as listening:
        settings = named.model_copy(update={"public_url": f"http://{place_of(listening)}"})
        async with serving_on(listening, database, settings, lambda gateway: real_site(settings, gateway), gateway):
            monkeypatch.setenv("ROLLOUTS_PUBLIC_URL", settings.public_url or "")
            assert "people sign in at its issuer" in await console(place)
            monkeypatch.setenv("ROLLOUTS_OIDC_ISSUER", "https://login.example.com")
            assert "people sign in at https://login.example.com" in await console(place)
            # By another name it is another site to browsers, and the service says so.
            monkeypatch.setenv("ROLLOUTS_PUBLIC_URL", f"http://localhost:{listening.getsockname()[1]}")
            with pytest.raises(Trouble, match="it says 421"):
                await console(place)


async def test_a_console_that_does_not_answer_is_trouble_and_one_that_nobody_names_is_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotHere, match="ROLLOUTS_PUBLIC_URL names no console"):
        await console(place)
    monkeypatch.setenv("ROLLOUTS_PUBLIC_URL", "http://127.0.0.1:1")
    with pytest.raises(Trouble, match=r"does not answer at http://127\.0\.0\.1:1"):
        await console(place)


def _pair(place: Place) -> tuple[Path, Path]:
    generate(place.signing_key, place.decision_keys)
    return place.signing_key, place.decision_keys


@pytest.fixture
def pair(place: Place, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The files of a private key and of its public part, as the environment names them."""
    private, public = _pair(place)
    monkeypatch.setenv("ROLLOUTS_SIGNING_KEY", str(private))
    monkeypatch.setenv("ROLLOUTS_DECISION_KEYS", str(public))
    return private, public


async def test_a_key_that_workers_know_is_well_also_after_it_was_rotated(place: Place, pair: tuple[Path, Path]) -> None:
    assert "which is among 1 public key" in await keys(place)
    generate(*pair, replace=True)
    assert "which is among 2 public keys" in await keys(place)


async def test_a_key_that_no_worker_would_believe_is_trouble(
    place: Place, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = pair
    generate(private, tmp_path / "elsewhere.json", replace=True)
    with pytest.raises(Trouble, match="which is not among the keys of") as found:
        await keys(place)
    assert "bring the public keys" in found.value.advice
    # By the name of the right one it is still another key.
    body = json.loads(public.read_text())
    body["keys"][0]["kid"] = json.loads(private.read_text())["kid"]
    public.write_text(json.dumps(body))
    with pytest.raises(Trouble, match="which is not among the keys of"):
        await keys(place)


async def test_files_of_keys_that_cannot_be_used_are_trouble(place: Place, pair: tuple[Path, Path]) -> None:
    private, public = pair
    public.write_text(json.dumps({"keys": [json.loads(private.read_text())]}))
    with pytest.raises(Trouble, match="is private; workers are given public keys only"):
        await keys(place)
    private.chmod(0o644)
    public.unlink()
    with pytest.raises(Trouble, match=r"decision-keys.json cannot be read"):
        await keys(place)
    generate(place.home / "other.json", public)
    with pytest.raises(Trouble, match="has mode 0644, so that others can read it"):
        await keys(place)


async def test_half_of_a_pair_is_what_workers_and_consoles_elsewhere_have(
    place: Place, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROLLOUTS_SIGNING_KEY")
    assert "1 public key in" in await keys(place)
    monkeypatch.setenv("ROLLOUTS_SIGNING_KEY", str(pair[0]))
    monkeypatch.delenv("ROLLOUTS_DECISION_KEYS")
    assert "ROLLOUTS_DECISION_KEYS is not set here" in await keys(place)
    monkeypatch.delenv("ROLLOUTS_SIGNING_KEY")
    with pytest.raises(NotHere, match="neither"):
        await keys(place)
