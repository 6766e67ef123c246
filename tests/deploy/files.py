"""The files of the stack, read as what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"


def services() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml, by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def mounts(service: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Source (`./path` of a file, else a volume), target, and whether it may be written to."""
    parts = [written.split(":") for written in service.get("volumes", ())]
    return [(source, target, mode != ["ro"]) for source, target, *mode in parts]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in their order, with their arguments on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, " ".join(arguments.split())) for name, arguments in lines]


def instruction(name: str) -> str:
    """The arguments of the last one of that name: of the stage that becomes the image, where it has any."""
    return [arguments for each, arguments in instructions() if each == name][-1]


def command(name: str) -> list[str]:
    """ENTRYPOINT or CMD, in the form that needs no shell."""
    found: list[str] = json.loads(instruction(name))
    return found


def healthcheck() -> list[str]:
    """What the image's health check runs."""
    found: list[str] = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
    return found
