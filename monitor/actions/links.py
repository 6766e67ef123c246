"""Addresses of what a message is about."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

Kind = Literal["incidents", "triggers"]


def page(base_url: str, kind: Kind, name: str) -> str | None:
    """Where the service at `base_url` shows people an incident or a trigger; None where there is none."""
    return f"{base_url.rstrip('/')}/{kind}/{quote(name, safe='')}" if name else None


def resource(base_url: str, kind: Kind, name: str) -> str | None:
    """Where its HTTP API shows programs the same."""
    return f"{base_url.rstrip('/')}/api/v1/{kind}/{quote(name, safe='')}" if name else None
