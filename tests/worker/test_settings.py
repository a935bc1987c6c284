"""Settings are read as they are meant, and refused with what would have been right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from worker.settings import SettingsError, WorkerSettings, load_settings

DSN = "postgresql://rollouts:secret@db:5432/rollouts"


@pytest.fixture
def environment(own_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    own_environment.setenv("ROLLOUTS_DATABASE_DSN", DSN)
    return own_environment


def refusal() -> str:
    with pytest.raises(SettingsError) as error:
        load_settings()
    return str(error.value)


def test_the_database_is_all_that_has_to_be_said(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.database_dsn.get_secret_value() == DSN
    assert settings.database == "db:5432/rollouts"
    assert "secret" not in repr(settings)
    environment.delenv("ROLLOUTS_DATABASE_DSN")
    assert "ROLLOUTS_DATABASE_DSN is not set" in refusal()


def test_an_empty_variable_is_one_that_is_not_set(environment: pytest.MonkeyPatch) -> None:
    for name in ("HEALTH_BIND", "SMTP_HOST", "GRACEFUL_SHUTDOWN", "NOTICE_MAILDIR"):
        environment.setenv(f"ROLLOUTS_{name}", "")
    settings = load_settings()
    assert (settings.health_bind, settings.smtp_host, settings.notice_maildir) == (None, None, None)
    assert settings.graceful_shutdown == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m5s", timedelta(hours=1, minutes=30, seconds=5)),
        ("168h", timedelta(days=7)),
    ],
)
def test_lengths_of_time_are_written_with_their_units(
    environment: pytest.MonkeyPatch, written: str, meant: timedelta
) -> None:
    environment.setenv("ROLLOUTS_GRACEFUL_SHUTDOWN", written)
    assert load_settings().graceful_shutdown == meant


@pytest.mark.parametrize("written", ["30", "-5s", "5s3m", "1.5h", "P1D", "soon", "169h", " s"])
def test_a_length_that_could_be_misread_is_refused(environment: pytest.MonkeyPatch, written: str) -> None:
    environment.setenv("ROLLOUTS_GRACEFUL_SHUTDOWN", written)
    assert refusal().startswith(f"ROLLOUTS_GRACEFUL_SHUTDOWN is {written!r}: ")


@pytest.mark.parametrize("written", ["127.0.0.1:9464", "0.0.0.0:1", "[::1]:65535", "[::]:80"])
def test_an_address_is_an_ip_address_and_a_port(environment: pytest.MonkeyPatch, written: str) -> None:
    environment.setenv("ROLLOUTS_METRICS_BIND", written)
    assert load_settings().metrics_bind == written


@pytest.mark.parametrize(
    "written",
    [
        *("9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536"),
        *("127.0.0.1:x", "127.0.0.1:\N{SUPERSCRIPT TWO}", "127.0.0.1:9464/metrics"),
        *("::1:9464", "[127.0.0.1]:9464", "[::1:9464"),
    ],
)
def test_any_other_address_is_refused(environment: pytest.MonkeyPatch, written: str) -> None:
    environment.setenv("ROLLOUTS_HEALTH_BIND", written)
    assert refusal().startswith(f"ROLLOUTS_HEALTH_BIND is {written!r}: ")


@pytest.mark.parametrize(
    "written", ["rollouts:secret@db/rollouts", "mysql://rollouts:secret@db/x", "postgresql://rollouts:secret/x@db/y"]
)
def test_a_database_that_is_named_wrongly_is_refused_without_showing_the_password(
    environment: pytest.MonkeyPatch, written: str
) -> None:
    environment.setenv("ROLLOUTS_DATABASE_DSN", written)
    told = refusal()
    assert told.startswith("ROLLOUTS_DATABASE_DSN cannot be used: it is not of the form postgresql://")
    assert "secret" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_CONNECTIONS", "1"),
        ("WORKFLOW_TASKS", "1"),
        ("MAX_CACHED_WORKFLOWS", "-1"),
        ("WATCH_SLOWEST", "0s"),
        ("SMTP_PORT", "65536"),
        ("LOG_FORMAT", "xml"),
        ("TASK_QUEUE", ""),
    ],
)
def test_a_value_out_of_range_names_its_variable(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"ROLLOUTS_{name}", value)
    if value:
        assert refusal().startswith(f"ROLLOUTS_{name} is {value!r}: ")
    else:
        assert load_settings().task_queue == WorkerSettings.model_fields["task_queue"].default


def test_a_level_may_be_written_small(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ROLLOUTS_LOG_LEVEL", "warning")
    assert load_settings().log_level == "WARNING"


@pytest.mark.parametrize("name", ["ROLLOUTS_HELTH_BIND", "ROLLOUTS_SMTP_HSOT", "ROLLOUTS_DATABASE_DNS"])
def test_a_variable_that_nearly_is_a_setting_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "x")
    assert refusal().startswith(f"{name} is not a setting; ROLLOUTS_")


@pytest.mark.parametrize("name", ["ROLLOUTS_HOME", "ROLLOUTS_DEBUG", "ROLLOUTS_IDENTITY", "ROLLOUTS_DATA"])
def test_the_variables_of_the_terminal_and_the_tests_are_no_misspellings(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(name, "x")
    load_settings()
