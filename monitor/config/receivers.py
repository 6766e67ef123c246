"""Who is sent what: `webhooks` of the configuration."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from monitor.config.network import receiver_url
from monitor.config.problems import refuse
from monitor.config.settings import Names, Settings, Text


class Webhook(Settings):
    """A receiver of retrain requests; signed with the first secret, the second while it is being replaced."""

    url: Annotated[str, AfterValidator(receiver_url)]
    secret_file: Text | None = None
    secret_files: Names | None = None

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if (self.secret_file is None) == (not self.secret_files):
            refuse(((), "must have either secret_file or secret_files: requests are always signed"))
        return self

    @property
    def files(self) -> tuple[str, ...]:
        return self.secret_files or (self.secret_file or "",)
