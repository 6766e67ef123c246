"""Addresses of what a message is about."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote


def resource(base_url: str, kind: Literal["incidents", "triggers"], name: str) -> str | None:
    """Where the HTTP API at `base_url` shows an incident or a trigger; None where there is none."""
    return f"{base_url.rstrip('/')}/api/v1/{kind}/{quote(name, safe='')}" if name else None
