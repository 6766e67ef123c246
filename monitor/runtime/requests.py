"""What the commands `triggers list` and `triggers send` print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from monitor.errors import ConfigError
from monitor.runtime.asking import ask, part

LIMIT = 100
"""Triggers that are listed: the newest."""


def list_triggers(config: Path, model: str | None, state: str | None, as_json: bool) -> Iterator[str]:
    """The newest triggers of a running service, oldest first, one each."""
    wanted = {"model": model, "state": state, "limit": LIMIT}
    query = urlencode({key: value for key, value in wanted.items() if value is not None})
    found = ask(config, f"triggers?{query}")["items"][::-1]
    if as_json:
        yield from map(json.dumps, found)
    elif found:
        yield from (line for each in found for line in _lines(each))
    else:
        yield "no trigger" + (f" is {state}" if state else " has been made or withheld yet")


def send_trigger(config: Path, target: str, reason: str | None, version: str | None, force: bool) -> Iterator[str]:
    """Have a withheld trigger sent, by its id; or a model retrained, by its name and for a reason."""
    if reason is not None:
        body = {"model": target, "reason": reason, "version": version, "force": force}
        yield ask(config, "triggers", body)["detail"]
        return
    if version is not None or force:
        raise ConfigError("--version and --force go with the name of a model and --reason: a trigger has both")
    if not target.startswith("trg_"):
        raise ConfigError("write --reason: a retraining by hand says why; or give the id of a withheld trigger")
    yield ask(config, f"triggers/{part(target)}/approve", {})["detail"]


def _lines(trigger: dict[str, Any]) -> Iterator[str]:
    version = f" version {trigger['version']}" if trigger["version"] else ""
    state = f"{trigger['state']} since {trigger['since']}"
    made = f", as version {trigger['new_version']}" if trigger["new_version"] else ""
    run = f", run {trigger['run']}" if trigger["run"] else ""
    yield f"{trigger['id']}  {trigger['model']}{version}  {trigger['reason']}  {state}{made}{run}"
    yield f"    {trigger['summary']}"
    said = trigger["reports"][-1]["detail"]
    if said and said != trigger["summary"]:
        yield f"    {said}"
