"""Where the service answers, and whom: `server` of the configuration."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from monitor.config.network import is_loopback, receiver_url
from monitor.config.settings import Settings, Text

SERIES_BUDGET = 10_000
"""Prometheus series of one instance, unless it is told otherwise."""

STATE = "./state"
"""The state directory, beside the file."""

TOKEN_MIN = 16
"""Characters of a token: fewer could be tried out."""


def _origin(url: str) -> str:
    parts = urlsplit(receiver_url(url))
    if parts.path not in ("", "/") or parts.query:
        raise ValueError(
            "holds a path or a query, and pages link to each other from / on: write scheme and host alone, give the "
            "service a host name or a port of its own at the proxy"
        )
    return url


class Server(Settings):
    """port 0: any free one. public_url: where others reach it, as through a proxy; links in messages begin with it.
    token_file: holds what everybody has to know who asks; without it, only this machine may. series_budget: Prometheus
    series of a scrape at most; what is left out is counted.
    """

    token_file: Text | None = None
    host: Text = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    public_url: Annotated[str, AfterValidator(_origin)] | None = None
    series_budget: int = Field(SERIES_BUDGET, ge=100, le=1_000_000)

    @field_validator("host")
    @classmethod
    def _guarded(cls, host: str, info: ValidationInfo) -> str:
        if info.data.get("token_file") is None and not is_loopback(host):
            raise ValueError(
                "is not a loopback address, and there is no server.token_file: name one, so that not everybody may "
                "give orders, or write 127.0.0.1, ::1 or localhost"
            )
        return host


class Reachable(Settings, extra="ignore"):
    """Of `monitor.yaml`, what whoever asks the running service needs; the rest may name files of another machine."""

    server: Server = Server()
    state: Text = STATE
