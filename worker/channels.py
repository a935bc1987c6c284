"""The channels that the settings name, and where the links in letters lead."""

from __future__ import annotations

from activities.channels import Channel, MaildirChannel
from activities.outward import Outward
from activities.smtp import SmtpChannel, StartTls
from activities.webhooks import Webhook, WebhookChannel
from worker.settings import SettingsError, WorkerSettings, variable
from worker.webhooks import WebhooksError, read_webhooks


def webhooks_of(settings: WorkerSettings) -> tuple[Webhook, ...]:
    """The webhooks of the file that the settings name.

    Raises:
        SettingsError: it cannot be used.
    """
    if settings.webhooks is None:
        return ()
    try:
        return read_webhooks(settings.webhooks, loopback=settings.webhooks_loopback)
    except WebhooksError as problem:
        raise SettingsError(f"{variable('webhooks')} cannot be used: {problem}") from None


def channels_of(settings: WorkerSettings, webhooks: tuple[Webhook, ...]) -> tuple[Channel, ...]:
    """Every channel that notices go through.

    Raises:
        SettingsError: one of them cannot be used.
    """
    channels: list[Channel] = []
    if settings.notice_maildir:
        if settings.notice_maildir.exists() and not settings.notice_maildir.is_dir():
            raise SettingsError(f"{variable('notice_maildir')} is {str(settings.notice_maildir)!r}: it is no directory")
        channels.append(MaildirChannel(settings.notice_maildir, settings.notice_sender))
    if settings.smtp_host:
        channels.append(_smtp(settings, settings.smtp_host))
    if webhooks:
        outward = Outward(loopback=settings.webhooks_loopback)
        channels += [WebhookChannel(one, outward) for one in webhooks]
    return tuple(channels)


def secrets_of(webhooks: tuple[Webhook, ...]) -> tuple[str, ...]:
    """What must not be seen in a log: secrets, and the paths of webhooks that have none, for there the path is it."""
    paths = [one.to.path for one in webhooks if not one.secrets and one.to.path != "/"]
    return (*(secret.get_secret_value() for one in webhooks for secret in one.secrets), *paths)


def _smtp(settings: WorkerSettings, host: str) -> SmtpChannel:
    starttls = StartTls(settings.smtp_starttls)
    login = None
    if settings.smtp_user or settings.smtp_password:
        if not settings.smtp_user or not settings.smtp_password:
            missing = variable("smtp_password" if settings.smtp_user else "smtp_user")
            raise SettingsError(f"{missing} is not set: a login has a user and a password")
        if starttls is not StartTls.REQUIRED:
            raise SettingsError(
                f"{variable('smtp_starttls')} is {starttls.value!r}: a login is only sent to a relay that has proven "
                f"who it is; write {StartTls.REQUIRED.value}"
            )
        login = (settings.smtp_user, settings.smtp_password.get_secret_value())
    return SmtpChannel(host, settings.smtp_port, settings.notice_sender, starttls=starttls, login=login)
