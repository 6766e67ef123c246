"""What the demo's small programs share: arguments by their annotations, and errors as one sentence, as of `monitor`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import typer

from monitor.errors import MonitorError


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(main: Callable[..., None], name: str) -> None:
    """name: as it is called. SIGTERM is a KeyboardInterrupt, as Ctrl-C is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name)(main)
    try:
        app(prog_name=name)
    except MonitorError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(error.exit_code)
