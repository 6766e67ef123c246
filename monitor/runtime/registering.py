"""What the command `versions register` does: it sends the service a reference, compiled or made of a table."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from monitor.config import Config, load
from monitor.errors import ConfigError
from monitor.profiles.reference import Reference
from monitor.runtime.asking import ask, part
from monitor.runtime.tables import read_table
from monitor.runtime.trial import only_model


def register_version(
    config: Path, model: str, version: str, reference: Path | None, table: Path | None, url: str | None
) -> Iterator[str]:
    """Have a version compared with a reference of its own. reference: a compiled file; table: rows that this version
    answered, such as those that were held out of its training. url: where the service is reached; None: where it
    listens.
    """
    if (reference is None) == (table is None):
        raise ConfigError("a version needs one reference: name either --reference or --table")
    data = _read(reference) if reference is not None else b""
    if table is not None:
        data = _compiled(load(config), model, version, table).dump()
    body = {"version": version, "reference": base64.b64encode(data).decode()}
    yield ask(config, f"models/{part(model)}/versions", body, url)["detail"]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--reference {file} cannot be read ({error.strerror}): name a compiled profile") from None


def _compiled(config: Config, model: str, version: str, table: Path) -> Reference:
    """As `monitor init` does of a table, with the features, columns and windows of the configuration."""
    name = only_model(config, model)
    spec, chosen = config.specs()[name], config.models[name]
    rows = read_table(table, spec.schema, chosen.columns, chosen.timezone)
    fitting = spec.window.timed != rows.by_row  # Else nothing is known of how its windows vary.
    return Reference.build(
        spec.schema,
        rows.predictions,
        rows.pairs,
        version=version,
        threshold=spec.performance.threshold,
        windows=("ms" if spec.window.timed else "rows", spec.window.size) if fitting else None,
    ).with_segments(rows.predictions, spec.segments)
