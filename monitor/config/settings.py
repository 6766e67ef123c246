"""What every part of the configuration is made from."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """Base of all: frozen, strict in types, unknown keys refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
