"""Addresses that the service serves on and sends to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def loopback_host(host: str) -> str:
    """A host that only this machine reaches; ValueError for any other."""
    if not is_loopback(host):
        raise ValueError("is not a loopback address, and this version has no tokens: write 127.0.0.1, ::1 or localhost")
    return host


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def receiver_url(url: str) -> str:
    """An address that requests can be sent to; ValueError says what is wrong and never quotes it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("is not an address: write http:// or https://, a host and a path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or a password: remove them, secrets are named by files")
    if parts.fragment:
        raise ValueError("holds a fragment (#), which is never sent: remove it")
    return url


def without_query(url: str) -> str:
    """An address as it may be shown: a query may hold a token."""
    parts = urlsplit(url)
    return parts._replace(query="...").geturl() if parts.query else url
