"""What the API takes from people, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import HTTPException
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from monitor.engine import Order, Rebaseline, Report, Retrain
from monitor.engine.pane import OTHER
from monitor.errors import ConfigError, NotFoundError, RefusedError, UnavailableError

T = TypeVar("T")
TEXT_MAX = 1000
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=TEXT_MAX)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MAX)]

Version = Annotated[str, StringConstraints(max_length=128)]

Said = Annotated[str, AfterValidator(lambda text: text[:TEXT_MAX].encode("utf-8", "replace").decode())]
"""A failure that is told at length, or in half characters, is to be heard all the same."""


def _new_version(version: str) -> str:
    if version == OTHER or not version.isprintable() or version != version.strip():
        raise ValueError(f"must be a name as predictions give it, without control characters, and not {OTHER}")
    return version


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Acknowledgement(_Body):
    """Who looks after it, or whatever else is to be remembered."""

    note: Text = ""


class NewNormal(_Body):
    """What is to be taken for usual."""

    reason: Reason
    """Why; kept with the reference and in the control events."""
    features: list[Annotated[Text, Field(min_length=1)]] = Field([], max_length=100_000)
    """Only these; none means all, and performance too."""
    version: Version | None = None
    """Only this one; without it, every version with a reference of its own."""
    since: AwareDatetime | None = Field(None, alias="from")
    """Of windows that start from then on; without it, since the open incident, or all rows that are kept."""

    def of(self, model: str) -> Rebaseline:
        from_ms = None if self.since is None else int(self.since.timestamp() * 1000)
        return Rebaseline(
            model, " ".join(self.reason.split()), tuple(dict.fromkeys(self.features)), self.version, from_ms
        )


class ByHand(_Body):
    """Which model is to be retrained."""

    model: str
    reason: Reason
    """Why; the request carries it."""
    version: Version | None = None
    """Whose newest window is to be learned from; without it, the version that was busiest in the newest one."""
    force: bool = False
    """Although an incident of its data is open."""

    def of(self) -> Retrain:
        return Retrain(self.model, " ".join(self.reason.split()), self.version, self.force)


class Progress(_Body):
    """How far a pipeline is with what it was asked."""

    state: Literal["accepted", "running", "succeeded", "failed"]
    version: Text | None = None
    """That it has made, when it has succeeded."""
    detail: Said = ""
    """One sentence, such as why it failed; what is longer than 1,000 characters is cut."""
    run: Text = ""
    """What it calls the run."""

    def of(self, trigger: str) -> Report:
        return Report(trigger, self.state, self.version or "", " ".join(self.detail.split()), self.run)


class NewVersion(_Body):
    """A version, and the reference that it is to be compared with."""

    version: Annotated[Version, Field(min_length=1), AfterValidator(_new_version)]
    """As its predictions name it."""
    reference: Base64Bytes
    """A compiled profile in base64, of the rows that this version was trained on."""

    def of(self, model: str) -> Registration:
        return Registration(model, self.version, self.reference)


@dataclass(frozen=True, slots=True)
class Registration:
    """A version of a model is to have this compiled reference, the bytes of its file."""

    model: str
    version: str
    reference: bytes


class Done(BaseModel):
    """What came of it."""

    detail: str


def carried_out(obey: Callable[[Order | Registration], str], order: Order | Registration) -> Done:
    """What came of an order."""
    return Done(detail=answered(lambda: obey(order)))


def answered(ask: Callable[[], T]) -> T:
    """404 where what it names does not exist, 409 where it cannot be done as things are, 422 where what it brings does
    not do, 503 where the service does not come to it.
    """
    try:
        return ask()
    except NotFoundError as error:
        raise HTTPException(404, str(error)) from None
    except RefusedError as error:
        raise HTTPException(409, str(error)) from None
    except ConfigError as error:
        raise HTTPException(422, str(error)) from None
    except UnavailableError as error:
        raise HTTPException(503, str(error)) from None
