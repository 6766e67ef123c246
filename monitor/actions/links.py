"""Addresses of what a message is about."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlencode

from monitor.events.timestamps import iso
from monitor.windows.window import Window

Kind = Literal["incidents", "triggers"]


def page(base_url: str, kind: Kind, name: str) -> str | None:
    """Where the service at `base_url` shows people an incident or a trigger; None where there is none."""
    return f"{base_url.rstrip('/')}/{kind}/{quote(name, safe='')}" if name else None


def resource(base_url: str, kind: Kind, name: str) -> str | None:
    """Where its HTTP API shows programs the same."""
    return f"{base_url.rstrip('/')}/api/v1/{kind}/{quote(name, safe='')}" if name else None


def report(base_url: str, window: Window) -> str:
    """Where the service at `base_url` shows a report on a window."""
    query = urlencode({"version": window.version, "window": iso(window.end_ms)}, errors="backslashreplace")
    return f"{base_url.rstrip('/')}/models/{quote(window.model, safe='', errors='backslashreplace')}/report?{query}"
