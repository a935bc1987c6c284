"""What the service is made of once people can sign in; without it, it takes events and nothing else."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.devissuer import DevIssuer
from console.gateway import Gateway
from console.limits import Limit
from console.oidc import Provider
from console.people import People, Permission, load_people
from console.person import Person
from console.settings import ConsoleSettings, is_loopback, place_of
from console.signing import Signer, load_signer
from models.plan import Decisions
from worker.settings import SettingsError

CALLBACK = "/login/callback"


@dataclass(frozen=True)
class Site:
    """Where it is reached, who vouches for people, who signs, and the way to the rollouts.

    `dev` is there where the service is its own issuer, for trying things out; pages then say so. `decisions_are` holds
    for plans that do not say whether their decisions are signed.
    """

    url: str
    provider: Provider
    people: People
    signer: Signer
    gateway: Gateway
    dev: DevIssuer | None = None
    decisions_are: Decisions = Decisions.SIGNED
    sign_ins: Limit = field(default_factory=lambda: Limit(30))
    decisions: Limit = field(default_factory=lambda: Limit(30))

    @property
    def host(self) -> str:
        """What the Host header says of requests that are meant for us."""
        return urlsplit(self.url).netloc

    @property
    def secure(self) -> bool:
        return self.url.startswith("https://")

    def may(self, person: Person, what: Permission) -> bool:
        """Whether somebody may do what no plan gives them."""
        if self.dev is not None and person.issuer == self.dev.issuer:
            return self.dev.may(person.subject, what)
        return self.people.may(person.issuer, person.subject, what)


def real_site(settings: ConsoleSettings, gateway: Gateway) -> Site:
    """The site of these settings, which name an issuer.

    Raises:
        SettingsError: the signing key or the file of people cannot be used.
    """
    if settings.public_url is None or settings.signing_key is None:
        raise SettingsError("ROLLOUTS_PUBLIC_URL and ROLLOUTS_SIGNING_KEY are needed")
    secret = settings.oidc_client_secret
    provider = Provider(
        settings.oidc_issuer or "",
        settings.oidc_client_id or "",
        secret.get_secret_value() if secret else None,
        settings.public_url + CALLBACK,
    )
    people = load_people(settings.people) if settings.people else People()
    signer = load_signer(settings.signing_key, settings.deployment)
    return _site(settings, settings.public_url, provider, people, signer, gateway)


def dev_site(settings: ConsoleSettings, listening: socket.socket, signer: Signer, gateway: Gateway) -> Site:
    """The same with the service as its own issuer, which believes everybody.

    Raises:
        SettingsError: a real issuer is named as well, or others could reach it.
    """
    if settings.oidc_issuer is not None:
        raise SettingsError(
            f"ROLLOUTS_OIDC_ISSUER names {settings.oidc_issuer}; the issuer for trying things out is not served beside "
            "a real one"
        )
    if not is_loopback(listening):
        raise SettingsError(
            f"{place_of(listening)} can be reached by others; the issuer for trying things out believes everybody, and "
            "is served on loopback alone"
        )
    url = f"http://{place_of(listening)}"
    dev = DevIssuer(url, url + CALLBACK)
    provider = Provider(dev.issuer, dev.client_id, dev.client_secret, url + CALLBACK)
    return _site(settings, url, provider, People(), signer, gateway, dev)


def _site(
    settings: ConsoleSettings,
    url: str,
    provider: Provider,
    people: People,
    signer: Signer,
    gateway: Gateway,
    dev: DevIssuer | None = None,
) -> Site:
    return Site(
        url=url,
        provider=provider,
        people=people,
        signer=signer,
        gateway=gateway,
        dev=dev,
        decisions_are=Decisions.SIGNED if dev is None else Decisions.UNSIGNED,
        sign_ins=Limit(settings.sign_ins_per_minute),
        decisions=Limit(settings.decisions_per_minute),
    )
