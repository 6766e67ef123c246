"""`monitor report`: the running service's report on a window, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from monitor.errors import ConfigError
from monitor.exports.report import WindowReport
from monitor.runtime.asking import ask, part
from monitor.runtime.rendering import DEADLINE_S


def report(
    config: Path, model: str, version: str | None, window: str | None, incident: str | None, out: Path | None
) -> Iterator[str]:
    """Write it, and say of what it is. window: its end; incident: an id, instead. out: None, a name made of model,
    version and window. Errors as of `ask`.
    """
    wanted = {"version": version, "window": window, "incident": incident}
    query = urlencode({key: value for key, value in wanted.items() if value is not None})
    found = WindowReport.model_validate(ask(config, f"models/{part(model)}/report?{query}", timeout_s=2 * DEADLINE_S))
    path = _name(found) if out is None else out
    try:
        path.write_text(found.html, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}): name another file by --out") from None
    yield f"{path}: {found.sentence}"


def _name(found: WindowReport) -> Path:
    """In the working directory, whatever the names hold."""
    stem = "-".join(["report", found.model, found.version, f"{found.window_end:%Y%m%dT%H%M%SZ}"])
    return Path("".join(char if char.isalnum() or char in "-_." else "_" for char in stem)[:200] + ".html")
