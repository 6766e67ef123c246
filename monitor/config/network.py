"""Addresses that the service serves on and sends to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_url(host: str, port: int) -> str:
    """Where this machine reaches a server that is bound to an address, be it all of them."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    if everywhere:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


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
