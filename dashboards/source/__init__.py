"""Grafana's dashboards, as code: `make dashboards` writes what `files` returns."""

from __future__ import annotations

from pathlib import Path

from dashboards.source import feature, fleet, model, service
from dashboards.source.frame import text

DIRECTORY = Path(__file__).parents[1]


def files() -> dict[Path, str]:
    """The content of each dashboard's file."""
    built = {"fleet": fleet, "model": model, "feature": feature, "service": service}
    return {DIRECTORY / f"{name}.json": text(module.build()) for name, module in built.items()}
