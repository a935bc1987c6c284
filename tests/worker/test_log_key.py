"""The key of the decision log: kept from everybody else, replaced without forgetting what it signed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from audit.notes import read_vkey
from tests.activities.setting import Pool, Setting, entry
from tests.worker.process import patiently, started
from worker.log_key import generate, load_signer, read_public
from worker.settings import SettingsError

OURS = "partner-rollouts"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "log-key.json", tmp_path / "log-keys.txt"


def test_a_key_is_made_once_for_its_owner_alone_and_signs_as_the_one_that_auditors_keep(
    files: tuple[Path, Path],
) -> None:
    private, public = files
    made = generate(private, public, OURS)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert load_signer(private, OURS).vkey == made.vkey
    assert read_public(public) == (made,)
    assert json.loads(private.read_text())["d"] not in public.read_text()
    with pytest.raises(SettingsError, match="`rollouts keys log rotate` replaces it"):
        generate(private, public, OURS)


def test_a_key_that_is_replaced_leaves_its_verifier_key_behind(files: tuple[Path, Path]) -> None:
    first = generate(*files, OURS)
    second = generate(*files, OURS, replace=True)
    assert read_public(files[1]) == (second, first)
    assert load_signer(files[0], OURS).vkey == second.vkey


def test_verifier_keys_that_cannot_be_read_are_not_written_over(files: tuple[Path, Path]) -> None:
    generate(*files, OURS)
    before = files[0].read_bytes()
    files[1].write_text("# ours\nname+00+zz\n")
    with pytest.raises(SettingsError, match="line 2: the key is not base64"):
        generate(*files, OURS, replace=True)
    assert files[0].read_bytes() == before


def test_an_installation_with_another_name_has_other_verifier_keys_also_with_the_same_key(
    files: tuple[Path, Path],
) -> None:
    generate(*files, OURS)
    other = read_vkey(load_signer(files[0], "Nord & Süd + West").vkey)
    assert other.name == "Nord%20%26%20S%C3%BCd%20%2B%20West"
    assert other != read_public(files[1])[0]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620])
def test_a_key_that_others_can_reach_is_refused(files: tuple[Path, Path], mode: int) -> None:
    generate(*files, OURS)
    files[0].chmod(mode)
    with pytest.raises(SettingsError, match=rf"has mode {mode:04o}, so that others can read it; allowed: 0600"):
        load_signer(files[0], OURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)),
        json.dumps({"kty": "OKP", "crv": "Ed25519", "d": 7, "x": "!"}),
    ],
    ids=["nothing", "a list", "empty", "a public key", "a key of another curve", "a key that is none"],
)
def test_what_is_no_such_key_is_refused_in_words(files: tuple[Path, Path], text: str) -> None:
    files[0].write_text(text)
    files[0].chmod(0o600)
    with pytest.raises(SettingsError, match="must be one JSON Web Key"):
        load_signer(files[0], OURS)
    files[0].unlink()
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_signer(files[0], OURS)


async def test_a_worker_does_not_start_with_a_key_that_cannot_be_used(
    folder: Path, settings: dict[str, str], files: tuple[Path, Path]
) -> None:
    generate(*files, OURS)
    files[0].chmod(0o644)
    async with started(folder, settings | {"ROLLOUTS_LOG_KEY": str(files[0])}) as worker:
        assert await worker.end() == 2
        assert "has mode 0644" in worker.text


async def test_a_worker_without_the_key_says_so_and_one_with_it_signs_what_waits(
    folder: Path, settings: dict[str, str], files: tuple[Path, Path], pool: Pool
) -> None:
    setting = await Setting(pool).register()
    await pool.execute(
        "insert into decision_log (rollout_id, chain_id, sequence, run_id, at, programme_at, kind, entry, recorded_at) "
        "values ($1, $2, 1, 'run-1', now(), now(), 'phase', $3, now() - interval '2 hours')",
        setting.key.rollout_id,
        setting.key.chain_id,
        entry(1).model_dump(mode="json"),
    )
    async with started(folder, settings) as worker:
        await worker.until_said("worker started")
        assert "the decision log is not signed here: ROLLOUTS_LOG_KEY is not set" in worker.text
    made = generate(*files, OURS)
    async with started(folder, settings | {"ROLLOUTS_LOG_KEY": str(files[0])}) as worker:
        await worker.until_said("worker started")
        assert made.vkey in worker.text

        async def signed() -> list[tuple[str, int, str]] | None:
            rows = await pool.fetch("select because, size, vkey from log_checkpoint")
            return [tuple(row) for row in rows] or None

        assert await patiently(signed) == [("hour", 1, made.vkey)]
