"""Where the service shows what: path and query from `/` on, for its own pages, its API, and what it sends."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from monitor.events.timestamps import iso
from monitor.windows.window import Window

API = "/api/v1"


def model_page(model: str, **query: str | None) -> str:
    return _address("/models/", model, query=query)


def feature_page(model: str, feature: str, **query: str | None) -> str:
    return _address("/models/", model, "/features/", feature, query=query)


def window_query(window: Window) -> dict[str, str | None]:
    """Names a window in an address."""
    return {"version": window.version, "segment": window.segment or None, "window": iso(window.end_ms)}


def report_page(window: Window) -> str:
    """Of whole traffic, also where the window is a segment's."""
    query = {"version": window.version, "window": iso(window.end_ms)}
    return _address("/models/", window.model, "/report", query=query)


def incidents_page(**query: str | None) -> str:
    return _address("/incidents", query=query)


def triggers_page(**query: str | None) -> str:
    return _address("/triggers", query=query)


def incident_page(identity: str) -> str:
    return _address("/incidents/", identity)


def trigger_page(identity: str) -> str:
    return _address("/triggers/", identity)


def public(base_url: str, path: str) -> str:
    """The same for others, who reach the service at `base_url`."""
    return base_url.rstrip("/") + path


def _address(*parts: str, query: Mapping[str, str | None] = {}) -> str:
    """Every second part is a name."""
    path = "".join(quote(part, safe="" if at % 2 else "/", errors="backslashreplace") for at, part in enumerate(parts))
    known = {key: value for key, value in query.items() if value is not None}
    return path + (f"?{urlencode(known, errors='backslashreplace')}" if known else "")
