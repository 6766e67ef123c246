"""One fixed event, and receivers as a file describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from monitor.actions.outbox import Message
from monitor.actions.pipeline import Pipeline
from monitor.config import Receiver as Configured
from monitor.config.receivers import Receiver
from monitor.runtime.receivers import receiver

GOLDEN = Path(__file__).parent / "golden"
EVENT: dict[str, Any] = json.loads((GOLDEN / "event.json").read_text())
ID = "msg_5d5e584bd4a0600f47afc434147bd474"
NAME = "retrain-5d5e584bd4a0600f47afc434147bd474"
SECRET = "s3cret"
NOW_MS = 1_795_000_000_000

_SETTINGS: TypeAdapter[Any] = TypeAdapter(Receiver)


def golden(preset: str) -> dict[str, Any]:
    """The settings of a preset and the requests that they give, by hand from the engine's documentation."""
    content: dict[str, Any] = json.loads((GOLDEN / f"{preset}.json").read_text())
    return content


def message(event: dict[str, Any] = EVENT, attempts: int = 0) -> Message:
    return Message(ID, "engine", event["data"]["trigger"], json.dumps(event).encode(), NOW_MS, attempts)


def pipeline(settings: dict[str, Any], secret: str = SECRET, keys: tuple[bytes, ...] = ()) -> Pipeline:
    """The receiver that these settings describe."""
    made = receiver(Configured("engine", _SETTINGS.validate_python(settings), (secret,)), keys)
    assert isinstance(made, Pipeline)
    return made
