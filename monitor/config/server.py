"""Where the service answers: `server` of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.config.network import loopback_host, receiver_url
from monitor.config.settings import Settings


class Server(Settings):
    """port 0: any free one. public_url: where others reach it, as through a proxy; links in messages begin with it."""

    host: Annotated[str, AfterValidator(loopback_host)] = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    public_url: Annotated[str, AfterValidator(receiver_url)] | None = None


class Reachable(Settings, extra="ignore"):
    """Of `monitor.yaml`, what whoever asks the running service needs; the rest may name files of another machine."""

    server: Server = Server()
