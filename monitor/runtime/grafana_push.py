"""`monitor grafana push`: dashboards for a Grafana that cannot be given files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor.config import load_grafana
from monitor.config.grafana import UID
from monitor.config.network import receiver_url
from monitor.errors import ConfigError, RefusedError
from monitor.runtime.grafana import Grafana

FILE_MAX = 4 << 20
"""Bytes of a dashboard's file; Grafana itself takes few of more than one."""


def push(config: Path, directory: Path, prometheus_url: str | None) -> Iterator[str]:
    """A line a dashboard of a directory's JSON files, once it is in Grafana; RefusedError at the end names the files
    that are not. prometheus_url: of the data source that is to be there, as Grafana reaches it.
    """
    access = load_grafana(config)
    told = access.settings
    files = sorted(directory.rglob("*.json"))
    if not files:
        raise ConfigError(f"{directory} holds no dashboard (*.json): name the folder that does, as in dashboards")
    if prometheus_url is not None:
        _checked(prometheus_url)
    grafana = Grafana(access)
    folder = grafana.folder(told.folder, _slug(told.folder))
    if prometheus_url is not None:
        done = grafana.put_data_source(told.data_source, f"{told.folder}: Prometheus", prometheus_url)
        yield f"data source {told.data_source}: {done}"
    elif grafana.has_data_source(told.data_source) is False:
        yield (
            f"note: Grafana has no data source {told.data_source}: name its Prometheus under grafana.data_source, or "
            "have one made with --prometheus-url"
        )
    failed: list[str] = []
    seen: dict[str, Path] = {}
    for file in files:
        try:
            dashboard = _asking(_dashboard(file), told.data_source)
            uid = dashboard["uid"]
            if uid in seen:
                raise RefusedError(f"it has the uid of {seen[uid]}, {uid}: give each its own")
            seen[uid] = file
            yield f"{dashboard['title']}: {grafana.put_dashboard(dashboard, folder)}, {grafana.address(uid)}"
        except RefusedError as error:
            failed.append(f"{file} was not pushed: {error}")
    if failed:
        raise RefusedError("\n".join(failed))


def _checked(url: str) -> None:
    try:
        receiver_url(url)
    except ValueError as error:
        raise ConfigError(f"--prometheus-url {error}") from None


def _dashboard(file: Path) -> dict[str, Any]:
    """What a file holds; RefusedError where that is no dashboard."""
    try:
        if file.stat().st_size > FILE_MAX:
            raise RefusedError(f"it is no dashboard, being larger than {FILE_MAX >> 20} MiB: remove it")
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise RefusedError(f"it cannot be read ({error.strerror}): correct its permissions") from None
    except (ValueError, RecursionError):
        raise RefusedError("it is not JSON: save it again from Grafana, or remove it") from None
    if not isinstance(found, dict) or not isinstance(found.get("panels"), list):
        raise RefusedError(
            "it is no dashboard, as it has no panels: export it as JSON of the classic model, or remove it"
        )
    if not isinstance(found.get("title"), str) or not found["title"]:
        raise RefusedError("it has no title: give it one")
    if not isinstance(found.get("uid"), str) or not UID.fullmatch(found["uid"]):
        raise RefusedError(
            "it has no uid of at most 40 letters, digits, dashes and underscores: give it one, which stays"
        )
    return found


def _asking(dashboard: dict[str, Any], data_source: str) -> dict[str, Any]:
    """The dashboard with its variables of Prometheus data sources set to this one."""
    templating = dashboard.get("templating")
    if not isinstance(templating, dict) or not isinstance(templating.get("list"), list):
        return dashboard
    current = {"current": {"text": data_source, "value": data_source}}
    chosen = [{**each, **current} if _of_prometheus(each) else each for each in templating["list"]]
    return {**dashboard, "templating": {**templating, "list": chosen}}


def _of_prometheus(variable: object) -> bool:
    return isinstance(variable, dict) and (variable.get("type"), variable.get("query")) == ("datasource", "prometheus")


def _slug(title: str) -> str:
    """A folder's uid, of its title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "model-monitor"
