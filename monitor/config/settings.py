"""What every part of the configuration is made from."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]


def one_or_more(value: object) -> object:
    """A list where one text stands for itself."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[Text, ...], BeforeValidator(one_or_more)]


class Settings(BaseModel):
    """Base of all: frozen, strict in types, unknown keys refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
