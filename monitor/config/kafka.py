"""The Kafka part of `monitor.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from monitor.config.client import bootstrap_servers
from monitor.config.problems import refuse
from monitor.config.settings import Settings, Text

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class Topics(Settings):
    """Predictions and labels may share a topic."""

    predictions: Topic = "predictions"
    labels: Topic = "labels"
    dead_letters: Topic = "monitor-dead-letters"

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.dead_letters in (self.predictions, self.labels):
            refuse(
                (("dead_letters",), f"is also a topic that is read ({self.dead_letters}): give dead letters their own")
            )
        return self


class Kafka(Settings):
    """start_at: where to begin with an empty state. on_gap: what to do about records the broker no longer has.

    Every further key is a setting of the Kafka client, checked by `load` and passed through.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    bootstrap_servers: Annotated[tuple[str, ...], BeforeValidator(bootstrap_servers)]
    topics: Topics = Topics()
    start_at: Literal["earliest", "latest"] = "earliest"
    on_gap: Literal["earliest", "latest", "stop"] = "earliest"
    sasl_plain_password_file: Text | None = None
    ssl_password_file: Text | None = None

    @property
    def client(self) -> Mapping[str, object]:
        """The settings that are the client's own, as written."""
        return self.model_extra or {}
