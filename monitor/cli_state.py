"""`monitor state`: the commands on what a service keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli_parts import DEFAULT, Commands, ConfigFile, put

state = typer.Typer(
    cls=Commands, no_args_is_help=True, help="What a service keeps: back it up, and begin with a backup."
)


@state.command("backup")
def back_up(
    config: ConfigFile = DEFAULT,
    out: Annotated[Path | None, typer.Option(help="The file to write; named by the time where it is left out.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the service is reached, if not where it listens.")] = None,
) -> None:
    """Copy all that a service keeps, while it runs or not, to one DuckDB file that can be queried and restored."""
    from monitor.runtime.backup import backup as lines

    put(lines(config, out, url))


@state.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="What `monitor state backup` has made.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Begin the state directory, which must be empty, with a backup."""
    from monitor.runtime.backup import restore as lines

    put(lines(config, file))
