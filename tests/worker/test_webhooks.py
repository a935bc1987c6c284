"""The file of webhooks is read strictly: every fault with its line and field, and never with a secret."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from activities.envelope import KINDS
from activities.webhooks import Form
from worker.channels import channels_of, secrets_of, webhooks_of
from worker.settings import SettingsError, WorkerSettings
from worker.webhooks import FIELDS, MOST, WebhooksError, read_webhooks

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
WHOLE = f"""\
webhooks:
  - name: crm
    url: https://hooks.example.com/rollouts
    secret: {SECRET}
    kinds: [paused, resumed]
  - name: chat
    url: https://chat.example.com/services/T000/B000/abcdefgh
    form: slack
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "webhooks.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def refusal(folder: Path, text: str, *, loopback: bool = False) -> list[str]:
    """What is said of a file, without its path."""
    file = written(folder, text)
    with pytest.raises(WebhooksError) as caught:
        read_webhooks(file, loopback=loopback)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    assert SECRET.removeprefix("whsec_") not in str(caught.value)
    return [line.removeprefix(f"{file}:") for line in lines]


def test_a_file_says_where_to_post_what(tmp_path: Path) -> None:
    crm, chat = read_webhooks(written(tmp_path, WHOLE))
    assert (crm.name, crm.form, crm.kinds) == ("crm", Form.CLOUDEVENTS, frozenset({"paused", "resumed"}))
    assert (crm.to.host, crm.to.path) == ("hooks.example.com", "/rollouts")
    assert [one.get_secret_value() for one in crm.secrets] == [SECRET]
    assert (chat.form, chat.kinds, chat.secrets) == (Form.SLACK, None, ())


def test_secrets_stand_in_a_list_or_in_a_file_beside_it(tmp_path: Path) -> None:
    secrets = tmp_path / "crm.secret"
    secrets.write_text(f"{OTHER}\n{SECRET}\n", encoding="utf-8")
    secrets.chmod(0o600)
    listed = WHOLE.replace(f"secret: {SECRET}", f"secret: [{OTHER}, {SECRET}]")
    beside = WHOLE.replace(f"secret: {SECRET}", "secret_file: crm.secret")
    for text in (listed, beside):
        crm, _ = read_webhooks(written(tmp_path, text))
        assert [one.get_secret_value() for one in crm.secrets] == [OTHER, SECRET]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    url: https://hooks", "    url: http://hooks", "3: webhooks[0].url: it has to begin with https://"),
        ("hooks.example.com/", "10.0.0.1/", "3: webhooks[0].url: 10.0.0.1 is not a public address"),
        ("https://hooks", "https://me:pw@hooks", "3: webhooks[0].url: user names and passwords do not belong into it"),
        ("    url: https://hooks.example.com/rollouts\n", "", "2: webhooks[0].url: it is missing: where to post"),
        ("name: crm", "name: C R M", "2: webhooks[0].name: small letters, digits and hyphens"),
        ("name: chat", "name: crm", "6: webhooks[1].name: crm is there already"),
        ("name: crm", "name: 7", "2: webhooks[0].name: a text is expected"),
        ("    secret: ", "    sceret: ", "4: webhooks[0].sceret: it is no field here; allowed are form, kinds, name"),
        (f"    secret: {SECRET}\n", "", "2: webhooks[0].secret: events are signed"),
        (SECRET, SECRET.removeprefix("whsec_"), "4: webhooks[0].secret: a secret begins with whsec_"),
        (SECRET, "whsec_AAAA", "4: webhooks[0].secret: a secret has 24 to 64 bytes, this one 3"),
        (SECRET, "[]", "4: webhooks[0].secret: a list of texts is expected"),
        (f"secret: {SECRET}", "secret_file: none", "4: webhooks[0].secret_file: it cannot be read: No such file"),
        (SECRET, f"{SECRET}\n    secret_file: x", "5: webhooks[0].secret_file: secret is there already"),
        ("[paused, resumed]", "[paused, resmued]", "5: webhooks[0].kinds: resmued is none of communicate, confirm"),
        ("[paused, resumed]", "[]", "5: webhooks[0].kinds: a list of texts is expected"),
        ("form: slack", "form: teams", "8: webhooks[1].form: it is none of cloudevents, slack"),
        ("    form: slack", "    form: slack\n    form: slack", "9: webhooks[1].form: it is there twice"),
        (WHOLE, "", "1: webhooks: fields are expected: webhooks"),
        (WHOLE, "webhooks: []", f"1: webhooks: a list of 1 to {MOST} webhooks is expected"),
        (WHOLE, "webhooks:\n  - x", "2: webhooks[0]: fields are expected"),
        (WHOLE, "hooks: []", "1: webhooks.hooks: it is no field here; allowed are webhooks"),
        ("kinds: [", "kinds: [[", "6: it is no YAML"),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in WHOLE
    lines = refusal(tmp_path, WHOLE.replace(old, new, 1))
    assert any(line.startswith(told) for line in lines), lines


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, "webhooks:\n  - {name: A, url: x, form: y, kinds: [z]}\n")) == 4


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601])
def test_a_file_that_others_can_read_is_refused_the_one_of_webhooks_and_that_of_secrets(
    tmp_path: Path, mode: int
) -> None:
    file = written(tmp_path, WHOLE)
    file.chmod(mode)
    told = f"it has mode {mode:04o}, so that others can read it; allowed: 0600. `chmod 600 {file}`"
    with pytest.raises(WebhooksError) as caught:
        read_webhooks(file)
    assert str(caught.value) == f"{file}: {told}"
    secrets = tmp_path / "crm.secret"
    secrets.write_text(SECRET)
    secrets.chmod(mode)
    (line,) = refusal(tmp_path, WHOLE.replace(f"secret: {SECRET}", "secret_file: crm.secret"))
    assert line == f"4: webhooks[0].secret_file: {told.replace(str(file), str(secrets))}"


def test_a_pipe_and_a_folder_are_no_files_and_nobody_waits_for_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(WebhooksError, match="it is no plain file"):
            read_webhooks(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WebhooksError, match="No such file"):
        read_webhooks(tmp_path / "none.yaml")


def test_this_machine_is_posted_to_where_a_setting_allows_it(tmp_path: Path) -> None:
    text = WHOLE.replace("https://hooks.example.com", "http://127.0.0.1:8000")
    assert refusal(tmp_path, text) == ["3: webhooks[0].url: it has to begin with https://"]
    crm, _ = read_webhooks(written(tmp_path, text), loopback=True)
    assert (crm.to.scheme, crm.to.port) == ("http", 8000)
    inside = WHOLE.replace("hooks.example.com", "169.254.169.254")
    assert refusal(tmp_path, inside, loopback=True) == [
        "3: webhooks[0].url: 169.254.169.254 is not a public address",
    ]


def settings(**fields: object) -> WorkerSettings:
    return WorkerSettings.model_validate({"database_dsn": "postgresql://rollouts:secret@db:5432/rollouts", **fields})


def test_the_channels_are_those_of_the_settings(tmp_path: Path) -> None:
    chosen = settings(webhooks=written(tmp_path, WHOLE), smtp_host="mail.example.com", notice_maildir=tmp_path / "mail")
    webhooks = webhooks_of(chosen)
    channels = channels_of(chosen, webhooks)
    assert [one.name for one in channels] == ["maildir", "smtp", "webhook:crm", "webhook:chat"]
    assert set(secrets_of(webhooks)) == {SECRET, "/services/T000/B000/abcdefgh"}
    told = repr((webhooks, chosen, channels))
    assert "abcdefgh" not in told
    assert SECRET not in told


def test_a_file_that_cannot_be_used_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ROLLOUTS_WEBHOOKS cannot be used: .*webhooks.yaml:1: "):
        webhooks_of(settings(webhooks=written(tmp_path, "")))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"smtp_user": "me"}, "ROLLOUTS_SMTP_PASSWORD is not set"),
        ({"smtp_password": "pw"}, "ROLLOUTS_SMTP_USER is not set"),
        ({"smtp_user": "me", "smtp_password": "pw"}, "ROLLOUTS_SMTP_STARTTLS is 'offered': a login is only sent"),
        (
            {"smtp_user": "me", "smtp_password": "pw", "smtp_starttls": "never"},
            "ROLLOUTS_SMTP_STARTTLS is 'never': a login is only sent",
        ),
    ],
)
def test_a_login_without_proven_tls_is_refused(fields: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        channels_of(settings(smtp_host="mail.example.com", **fields), ())


def test_a_password_is_among_the_secrets() -> None:
    chosen = settings(smtp_host="m", smtp_user="me", smtp_password="hush-hush", smtp_starttls="required")
    assert "hush-hush" in chosen.secrets
    assert "hush-hush" not in repr(chosen)
    assert channels_of(chosen, ())


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("https://rollouts.example.com", "https://rollouts.example.com"),
        ("https://rollouts.example.com/", "https://rollouts.example.com"),
        ("http://127.0.0.1:8000/console/", "http://127.0.0.1:8000/console"),
    ],
)
def test_links_lead_where_the_setting_says(written_as: str, meant: str) -> None:
    assert settings(public_url=written_as).public_url == meant


@pytest.mark.parametrize(
    "written_as",
    [
        *("rollouts.example.com", "javascript:alert(1)", "https://", "https://me@x.example.com", "https://x/?a=1"),
        *("https://x/#top", "https://x/a b", 'https://x/"', "https://x/|y", "https://x:0"),
    ],
)
def test_what_would_make_no_link_is_refused(written_as: str) -> None:
    with pytest.raises(ValueError, match="write https://host"):
        settings(public_url=written_as)


def test_every_field_and_kind_is_explained() -> None:
    assert all(FIELDS.values())
    assert all(KINDS.values())
