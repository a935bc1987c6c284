"""The files and settings that signing in rests on: what is not as it must be is refused, with file, line and field."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from console.limits import Limit
from console.people import Permission, load_people
from console.problems import Problem
from console.settings import ConsoleSettings, load_console_settings
from console.signing import MOST_KEYS, generate, load_signer, read_public
from worker.settings import SettingsError

ONE = "- {issuer: 'https://login.example.com', subject: abc, name: Fin Ance}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.yaml"


def test_people_are_known_by_issuer_and_subject_together(file: Path) -> None:
    file.write_text(
        "people:\n"
        "- issuer: https://login.example.com\n"
        "  subject: '007'\n"
        "  name: Jay\n"
        "  may: [start, break_glass]\n"
        "  identity: jay@example.com\n" + ONE
    )
    people = load_people(file)
    assert people.may("https://login.example.com", "007", Permission.START)
    assert not people.may("https://login.example.com", "abc", Permission.START)
    # The same subject at another issuer is somebody else.
    assert not people.may("https://evil.example", "007", Permission.START)
    assert people.find("https://login.example.com", "7") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("people:\n" + ONE.replace("}", ", role: king}"), ":2: people.0.role is no field of it; allowed: issuer"),
        ("people:\n" + ONE.replace(", name: Fin Ance", ""), ":2: people.0.name is missing"),
        ("people:\n" + ONE.replace("}", ", may: [approve]}"), ":2: people.0.may.0 is 'approve'"),
        ("people:\n" + ONE.replace("https", "ftp"), ":2: people.0.issuer is 'ftp://"),
        ("people:\n" + ONE.replace("}", ", identity: nobody}"), ":2: people.0.identity is 'nobody'"),
        ("people:\n" + ONE + ONE, ":3: people.1.subject 'abc' stands on line 2 already"),
        (
            "people:\n"
            + ONE.replace("}", ", identity: a@example.com}")
            + ONE.replace("abc", "d").replace("}", ", identity: A@example.com}"),
            ":3: people.1.identity 'A@example.com' stands on line 2 already",
        ),
        ("people:\n- {name: a, name: b}\n", ":2: the key 'name' appears twice"),
        ("people: []\n", "people"),
        ("", "the file is empty"),
    ],
)
def test_a_file_of_people_that_does_not_hold_says_where(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_people(file)
    assert str(file) in str(refused.value)
    assert told in str(refused.value)


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    private, public = tmp_path / "key.json", tmp_path / "public.json"
    made = generate(private, public)
    assert load_signer(private, "ours").public == made
    assert private.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o660):
        private.chmod(mode)
        with pytest.raises(SettingsError, match="others can read it"):
            load_signer(private, "ours")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        json.dumps({"keys": []}),
        json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "6T-lm142E9B3ieitVJwObd07xna5RqrPSEPJ1QH0neU"}),
        json.dumps({"kty": "OKP", "crv": "X25519", "x": "a", "d": "a"}),
        json.dumps({"kty": "OKP", "crv": "Ed25519", "x": 1, "d": 2}),
        json.dumps({"kty": "oct", "k": "c2VjcmV0"}),
    ],
)
def test_what_is_no_private_key_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="cannot be used"):
        load_signer(file, "ours")


def test_another_key_leaves_the_older_public_ones_for_what_they_signed(tmp_path: Path) -> None:
    private, public = tmp_path / "key.json", tmp_path / "public.json"
    made = [generate(private, public)]
    with pytest.raises(SettingsError, match="rotate"):
        generate(private, public)
    made += [generate(private, public, replace=True) for _ in range(2)]
    assert list(read_public(public)) == made[::-1]
    assert "d" not in json.loads(public.read_text())["keys"][0]
    for _ in range(MOST_KEYS):
        generate(private, public, replace=True)
    assert len(read_public(public)) == MOST_KEYS


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    with mock.patch.dict(os.environ):
        for name in tuple(os.environ):
            if name.startswith("ROLLOUTS_"):
                del os.environ[name]
        yield {
            "ROLLOUTS_PUBLIC_URL": "https://rollouts.example.com",
            "ROLLOUTS_OIDC_ISSUER": "https://login.example.com/realms/main",
            "ROLLOUTS_OIDC_CLIENT_ID": "rollouts",
            "ROLLOUTS_OIDC_CLIENT_SECRET": "do not tell",
            "ROLLOUTS_SIGNING_KEY": "/etc/key.json",
        }


def test_signing_in_is_set_up_whole_or_not_at_all(variables: dict[str, str]) -> None:
    assert load_console_settings().oidc_issuer is None
    os.environ.update(variables)
    assert load_console_settings() == ConsoleSettings()
    for name in ("PUBLIC_URL", "OIDC_CLIENT_ID", "SIGNING_KEY"):
        del os.environ[f"ROLLOUTS_{name}"]
        with pytest.raises(SettingsError, match=f"ROLLOUTS_OIDC_ISSUER is set, and ROLLOUTS_{name} not"):
            load_console_settings()
        os.environ.update(variables)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://rollouts.example.com"),
        ("PUBLIC_URL", "https://rollouts.example.com/console"),
        ("PUBLIC_URL", "https://user:password@rollouts.example.com"),
        ("PUBLIC_URL", "rollouts.example.com"),
        ("OIDC_ISSUER", "http://login.example.com"),
        ("OIDC_ISSUER", "https://login.example.com?a=b"),
        ("SESSION_IDLE", "never"),
        ("DECISION_MAX_AGE", "1s"),
        ("DECISIONS_PER_MINUTE", "0"),
    ],
)
def test_a_setting_of_signing_in_that_would_weaken_it_is_refused(
    variables: dict[str, str], name: str, value: str
) -> None:
    os.environ.update(variables | {f"ROLLOUTS_{name}": value})
    with pytest.raises(SettingsError, match=f"ROLLOUTS_{name} is") as refused:
        load_console_settings()
    assert "do not tell" not in str(refused.value)


def test_the_client_secret_is_told_to_nobody(variables: dict[str, str]) -> None:
    os.environ.update(variables)
    assert "do not tell" not in repr(load_console_settings())


def test_a_bucket_fills_up_evenly_and_each_has_their_own() -> None:
    now = [0.0]
    limit = Limit(6, lambda: now[0])
    for _ in range(6):
        limit.take("a")
    with pytest.raises(Problem) as refused:
        limit.take("a")
    assert refused.value.headers["Retry-After"] == "10"
    limit.take("b")
    now[0] = 10.0
    limit.take("a")
    with pytest.raises(Problem):
        limit.take("a")
    now[0] = 1000.0
    for _ in range(6):
        limit.take("a")
    with pytest.raises(Problem):
        limit.take("a")
