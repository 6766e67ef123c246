"""What all commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from monitor.config.problems import shape

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
DEFAULT = Path("monitor.yaml")


class Commands(TyperGroup):
    """The commands, which say in our own words what is wrong with the value of an option."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = "; ".join(map(shape, error.__cause__.errors()))
            raise


def put(lines: Iterable[str]) -> None:
    """To standard output, each as it comes."""
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
