"""Who is told of incidents: `notify` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Self, get_args

from pydantic import model_validator

from monitor.config.network import receiver_url
from monitor.config.problems import Problem, near, refuse
from monitor.config.receivers import Address
from monitor.config.settings import Names, Settings, Text
from monitor.detection.severity import Level

Kind = Literal["url_file", "routing_key_file", "webhook", "apprise_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The key that a receiver must have one of, and that says what it is."""


class Notify(Settings):
    """Slack has url_file, PagerDuty routing_key_file, a receiver of the signed event webhook, all others apprise_file.

    severity_min: of incidents, at least; critical: those of performance and data that are major. models: these only.
    resolved: whether to be told of the end. runbook: where people read on. url: of PagerDuty, another region's.
    """

    url_file: Text | None = None
    routing_key_file: Text | None = None
    webhook: Address | None = None
    apprise_file: Text | None = None
    url: Address | None = None
    secret_file: Text | None = None
    secret_files: Names | None = None
    severity_min: Level | None = None
    models: Names = ()
    resolved: bool = True
    runbook: Address | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            what = "names nobody" if not given else f"has {' and '.join(given)}"
            refuse(
                (
                    (),
                    f"{what}: write one of url_file (Slack), routing_key_file (PagerDuty), webhook (any address) and "
                    "apprise_file (everything else)",
                )
            )
        signed = (self.secret_file is not None) + bool(self.secret_files)
        if self.kind == "webhook" and signed != 1:
            refuse(((), "must have either secret_file or secret_files: what a webhook is sent is always signed"))
        if self.kind != "webhook" and signed:
            refuse(((), f"has a secret to sign with, which belongs to webhook, not to {self.kind}: remove it"))
        if self.kind != "routing_key_file" and self.url is not None:
            refuse(
                (("url",), f"belongs to routing_key_file, as PagerDuty's other region, not to {self.kind}: remove it")
            )
        return self

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def level_min(self) -> Level:
        """A page is for consequences; everybody else is told of what moves, too."""
        return self.severity_min or ("critical" if self.kind == "routing_key_file" else "minor")

    @property
    def files(self) -> tuple[str, ...]:
        """The files that hold its secrets."""
        if self.kind == "webhook":
            return self.secret_files or (self.secret_file or "",)
        return (getattr(self, self.kind),)


class Notified(NamedTuple):
    """One receiver, with the texts of its secret files."""

    name: str
    settings: Notify
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Notified(name={self.name!r})"


def notify_problems(notify: Mapping[str, Notify], webhooks: Sequence[str], models: Sequence[str]) -> list[Problem]:
    """What does not fit the rest of the file. A name stands for one receiver in metrics and in the outbox."""
    problems: list[Problem] = [
        (("notify", name), "is a name that `webhooks` has too: give it another") for name in notify if name in webhooks
    ]
    for name, told in notify.items():
        for place, model in enumerate(told.models):
            if model not in models:
                guess = near(model, models)
                advice = f"did you mean {guess!r}?" if guess else "name models as in `models`"
                problems.append((("notify", name, "models", place), f"is {model!r}, which is no model here: {advice}"))
    return problems


def secret_problem(told: Notify, secret: str) -> str | None:
    """What is wrong with a secret that is an address; never the secret itself."""
    if told.kind == "url_file":
        try:
            receiver_url(secret)
        except ValueError as error:
            return f"names a file whose text {error}"
    if told.kind == "routing_key_file" and (not secret.isascii() or not secret.isalnum()):
        return "names a file whose text is no key: put the integration's key there, letters and digits"
    return None
