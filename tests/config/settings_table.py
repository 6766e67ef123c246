"""Every key that `monitor.yaml` may have, from the models that read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from monitor.config.models import File, Made
from monitor.config.receivers import Pipeline, Webhook

BY_HAND: dict[str, tuple[type[BaseModel], ...]] = {"webhooks": (Webhook, Pipeline), "models[].reference": (Made,)}
"""What is validated by hand, so that its annotation does not tell."""

ELSEWHERE = ("models[].alarms", "webhooks.NAME.template")
"""What has the keys of another section, and what has a page of its own."""

NAMED = ("webhooks", "notify", "models[].features")
"""Mappings by names that the file makes up."""


def keys() -> dict[str, str | None]:
    """The default of each key as it would be written, None where there is none; nested ones behind theirs."""
    return dict(_keys(File, ""))


def _keys(model: type[BaseModel], before: str) -> Iterator[tuple[str, str | None]]:
    for name, field in model.model_fields.items():
        key = before + (field.alias or name)
        inner = BY_HAND.get(key) or tuple(_models(field.annotation))
        many = "[]" if inner and str(field.annotation).startswith("tuple") else ""
        yield key, None if inner else _default(field)
        for each in () if key in ELSEWHERE else inner:
            yield from _keys(each, f"{key}{many}.{'NAME.' if key in NAMED else ''}")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _default(field: FieldInfo) -> str | None:
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    if value is None:
        return None
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    shown = TypeAdapter(kind).dump_python(value, mode="json")
    return shown if isinstance(shown, str) else json.dumps(shown)
