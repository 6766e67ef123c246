"""The Grafana that commands give dashboards and annotations: `grafana` of the configuration."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator

from monitor.config.receivers import Address
from monitor.config.settings import Settings, Text

DATA_SOURCE = "model-monitor"
"""The uid that our provisioning gives its Prometheus data source."""

UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""What Grafana takes for the uid of anything."""


def _base(url: str) -> str:
    if urlsplit(url).query:
        raise ValueError("holds a query (?): write where Grafana's pages begin, as in https://grafana.example/grafana")
    return url.rstrip("/")


def _uid(text: str) -> str:
    if not UID.fullmatch(text):
        raise ValueError("is no uid: write at most 40 letters, digits, dashes and underscores")
    return text


class Grafana(Settings):
    """url: where its pages begin, behind a path or not. token_file: holds a token of one of its service accounts.
    folder: title of the one that dashboards go into. data_source: uid of the Prometheus that they ask.
    """

    url: Annotated[Address, AfterValidator(_base)]
    token_file: Text
    folder: Text = "Model monitor"
    data_source: Annotated[str, AfterValidator(_uid)] = DATA_SOURCE


class Told(Settings, extra="ignore"):
    """Of `monitor.yaml`, what those commands need; the rest may name files of another machine."""

    grafana: Grafana | None = None


class Access(NamedTuple):
    """Grafana, and a token that it knows."""

    settings: Grafana
    token: str

    def __repr__(self) -> str:
        return f"Access(url={self.settings.url!r})"
