"""The receivers of a configuration, ready to be sent to."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.actions.pipeline import Access, Pipeline
from monitor.actions.receiver import Receiver
from monitor.actions.signing import parse_secret
from monitor.actions.webhook import Webhook
from monitor.config import Config
from monitor.config import Receiver as Configured
from monitor.config.receivers import Webhook as Plain


def receivers(config: Config) -> list[Receiver]:
    """Every receiver, with its secrets, which are read now; ConfigError, without a secret, where one cannot be used."""
    return [receiver(each, _keys(each)) for each in config.webhooks()]


def receiver(configured: Configured, keys: Sequence[bytes]) -> Webhook | Pipeline:
    """One receiver. keys: to sign with, where it is signed."""
    name, settings, secrets = configured
    if isinstance(settings, Plain):
        return Webhook(name, settings.url, tuple(keys))
    signed = settings.auth == "signed"
    access = Access(settings.auth, settings.user or "", "" if signed else "".join(secrets), tuple(keys))
    return Pipeline(name, settings.url, settings.engine, access, settings.parameters)


def _keys(configured: Configured) -> tuple[bytes, ...]:
    name, settings, secrets = configured
    if not isinstance(settings, Plain) and settings.auth != "signed":
        return ()
    return tuple(parse_secret(secret, f"the secret of webhook {name}") for secret in secrets)
