"""What `monitor.yaml` may hold: frozen models with every default in one place.

Validators say what is wrong as the end of a sentence that `monitor.config.problems` begins with path and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from monitor.config import units
from monitor.config.agreement import (
    feature_problems,
    label_problems,
    made_problems,
    reference_problems,
    segment_problems,
    segments_max_problems,
    span_problems,
    task_problems,
)
from monitor.config.calendar import Entry, calendar_problems
from monitor.config.grafana import Grafana
from monitor.config.kafka import Kafka
from monitor.config.notify import Notify, notify_problems
from monitor.config.problems import near, refuse
from monitor.config.receivers import Receiver
from monitor.config.references import References
from monitor.config.server import STATE, Server
from monitor.config.settings import Names, Settings, Text, one_or_more
from monitor.events.canonical import canonical
from monitor.events.schema import Kind, Task
from monitor.profiles.reference import Reference
from monitor.profiles.segments import SEGMENTS_MAX
from monitor.statistics.performance import METRICS, default_metric
from monitor.windows.window import WindowSpec

DROP = 0.03
"""Default drop of a metric that is a share: three points of a hundred."""


@dataclass(frozen=True, slots=True)
class Context:
    """What validators know besides the values: the reference files, and the names that may be referred to."""

    references: References
    webhooks: tuple[str, ...] = ()


def _text(value: object) -> object:
    text = canonical(value)
    return value if text is None else text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone: write a name of the IANA database, as in UTC or Europe/Warsaw") from None
    return name


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _score(value: object) -> str | dict[str, str]:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Mapping) and value and all(isinstance(column, str) for column in value.values()):
        return dict(value)
    raise ValueError("must name a column, or for a multiclass model one column a class: {class: column}")


def _not_zero(milliseconds: int) -> int:
    if milliseconds == 0:
        raise ValueError("must be longer than 0s")
    return milliseconds


Duration = Annotated[
    int, BeforeValidator(units.duration_ms), PlainSerializer(units.duration_text, return_type=str, when_used="json")
]
"""Milliseconds, written as a duration."""

Span = Annotated[Duration, AfterValidator(_not_zero)]
"""A duration that is not empty."""

Window = Annotated[
    WindowSpec,
    BeforeValidator(units.window_spec),
    PlainSerializer(units.window_text, return_type=str, when_used="json"),
]
Canonical = Annotated[Text, BeforeValidator(_text)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Score = Annotated[Any, BeforeValidator(_score)]
Files = Annotated[dict[str, Text], Field(min_length=1)]


class Alarms(Settings):
    """budget: false alarms that are accepted of one model in a month. tolerance: the change that nobody cares about, in
    PSI units. persistence: windows that a change takes to alarm. learning: production from which is learned what is
    usual, where the reference does not tell; 0s trusts the reference as it is.
    """

    budget: float = Field(0.1, gt=0, le=1000, allow_inf_nan=False)
    tolerance: float = Field(0.02, gt=0, le=1, allow_inf_nan=False)
    persistence: int = Field(2, ge=1, le=100)
    learning: Duration = units.duration_ms("14d")


class Feature(Settings):
    """One feature: watched for drift, for its data quality only, or not at all.

    tolerance: its own, instead of the model's. importance: its share of the alarm budget, beside the others'.
    """

    type: Kind
    monitor: Literal["drift", "quality", "off"] = "drift"
    tolerance: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    importance: float = Field(1.0, gt=0, le=1000, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value


class Columns(Settings):
    """Names of a table's columns where they are not the defaults; score may be {class: column}."""

    id: str | None = None
    timestamp: str | None = None
    version: str | None = None
    prediction: str | None = None
    score: Score | None = None
    label: str | None = None

    @property
    def named(self) -> frozenset[str]:
        """The columns that are named for a role."""
        given = self.model_dump(exclude_none=True).values()
        return frozenset(name for value in given for name in ([value] if isinstance(value, str) else value.values()))


class Performance(Settings):
    """When performance has fallen: by `drop` of `metric`. wait: how long a window's verdict waits for labels."""

    metric: str
    drop: float = Field(gt=0, allow_inf_nan=False)
    wait: Duration = units.duration_ms("14d")
    threshold: float | None = Field(None, gt=0, lt=1)
    labels_min: int = Field(500, ge=1)


class Retrain(Settings):
    """Whom to ask for a retrained model, why, how often, and from how many labels on. budget: requests in any seven
    days. approval: manual waits for a person to send each. expires: time since a request was last heard of from which
    it is given up; 0s: the pipeline never reports.
    """

    webhook: Text
    on: Annotated[tuple[Literal["performance", "drift"], ...], BeforeValidator(one_or_more), Field(min_length=1)]
    cooldown: Duration = units.duration_ms("24h")
    labels_min: int = Field(2000, ge=0)
    budget: int = Field(3, ge=1, le=1000)
    approval: Literal["automatic", "manual"] = "automatic"
    expires: Duration = units.duration_ms("24h")

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> Self:
        known = info.context.webhooks if isinstance(info.context, Context) else (self.webhook,)
        if self.webhook not in known:
            guess = near(self.webhook, known)
            advice = f"did you mean {guess!r}?" if guess else "add it there, with its url and secret_file"
            refuse((("webhook",), f"is {self.webhook!r}, which `webhooks` does not name: {advice}"))
        return self


class Made(Settings):
    """A reference made of what arrives. learn: of so much of it, for good; of windows by rows, so many rows. rolling:
    the so many windows before each; previous: the one so many before it; both in cells made of what `learn` says.
    """

    learn: Window | None = None
    rolling: int | None = Field(None, ge=1, le=1000)
    previous: int | None = Field(None, ge=1, le=1000)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.rolling is not None and self.previous is not None:
            refuse(((), "has both rolling and previous: keep one"))
        if (self.rolling, self.previous, self.learn) == (None, None, None):
            refuse(((), "says nothing: write a compiled profile, or one of learn, rolling and previous"))
        return self


def _compared(value: object) -> object:
    """Compiled profiles by version, or how one is made."""
    if isinstance(value, Mapping) and value.keys() & Made.model_fields.keys():
        return Made.model_validate(value)
    if isinstance(value, Mapping) and not all(isinstance(path, str) for path in value.values()):
        raise ValueError("must be a compiled profile, one by version, or one of learn, rolling and previous")
    return _FILES.validate_python({"": value} if isinstance(value, str) else value)


NAME_MAX = 200
"""Characters of a model's name."""

_FILES: TypeAdapter[dict[str, str]] = TypeAdapter(Files, config=ConfigDict(strict=True))
Compared = Annotated[Any, BeforeValidator(_compared)]
"""Validated by hand: of a union, pydantic would tell the problems of every member."""


def model_name(name: str) -> str:
    """The name. ValueError where it is none."""
    if not name or not name.isprintable() or name in (".", "..") or len(name) > NAME_MAX:
        raise ValueError(
            f"must be a name of at most {NAME_MAX} printable characters, and not . or ..: it stands in addresses"
        )
    return name


class Model(Settings):
    """One model. A value that is left out comes from the top of the file, or from the reference where it knows it."""

    name: Annotated[Text, AfterValidator(model_name)]
    task: Task
    positive: Canonical | None = None
    reference: Compared
    features: dict[str, Feature]
    performance: Performance
    retrain: Retrain | None = None
    window: Window = units.window_spec("1h")
    lateness: Duration = units.duration_ms("5m")
    idle_after: Span = units.duration_ms("60s")
    timezone: TimeZone = "UTC"
    alarms: Alarms = Alarms()
    arrival: Literal["stream", "batch"] = "stream"
    feature_order: Names = ()
    columns: Columns = Columns()
    labels: Literal["late", "none"] = "late"
    retention: Span = units.duration_ms("90d")
    retire_after: Span = units.duration_ms("7d")
    kafka_time: bool = False
    segments: Names = ()
    calendar: Annotated[tuple[Entry, ...], BeforeValidator(_listed)] = ()

    @field_validator("reference")
    @classmethod
    def _readable(cls, compared: dict[str, str] | Made, info: ValidationInfo) -> dict[str, str] | Made:
        if isinstance(info.context, Context) and not isinstance(compared, Made):
            found = {version: info.context.references.get(path) for version, path in compared.items()}
            refuse(*((_version(key), text) for key, text in found.items() if isinstance(text, str)))
        return compared

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: object, info: ValidationInfo) -> object:
        """Fill in what the reference knows, and the defaults that depend on other values."""
        if not isinstance(value, Mapping):
            return value
        known = info.context.references.known(value.get("reference")) if isinstance(info.context, Context) else {}
        model = {**known, **value}
        performance, retrain = value.get("performance", {}), value.get("retrain")
        if isinstance(performance, Mapping):
            model["performance"] = _performance(model.get("task"), {**known.get("performance", {}), **performance})
        if isinstance(retrain, Mapping):
            reasons = ["drift"] if value.get("labels") == "none" else ["performance", "drift"]
            model["retrain"] = {"on": reasons, **retrain}
        return model

    @model_validator(mode="after")
    def _agree(self, info: ValidationInfo) -> Self:
        problems = [*task_problems(self), *feature_problems(self), *label_problems(self), *segment_problems(self)]
        if isinstance(self.reference, Made):
            problems += made_problems(self)
        if isinstance(info.context, Context):
            for path in self.compiled.values():
                reference = info.context.references.get(path)
                problems += reference_problems(self, path, reference) if isinstance(reference, Reference) else []
        refuse(*problems)
        return self

    @field_serializer("reference", when_used="json")
    def _as_written(self, compared: dict[str, str] | Made) -> Any:
        if isinstance(compared, Made):
            return compared.model_dump(mode="json", exclude_none=True)
        return compared.get("", compared)

    @property
    def compiled(self) -> Mapping[str, str]:
        """Paths of compiled references by version; none where one is made of what arrives."""
        return {} if isinstance(self.reference, Made) else self.reference

    @property
    def watched(self) -> Mapping[str, Feature]:
        """The features that are not off."""
        return {name: feature for name, feature in self.features.items() if feature.monitor != "off"}


class File(Settings):
    """The root of `monitor.yaml`."""

    kafka: Kafka
    state: Text = STATE
    window: Window = Model.model_fields["window"].default
    lateness: Duration = Model.model_fields["lateness"].default
    idle_after: Span = Model.model_fields["idle_after"].default
    timezone: TimeZone = Model.model_fields["timezone"].default
    alarms: Alarms = Alarms()
    segments_max: int = Field(SEGMENTS_MAX, ge=2, le=SEGMENTS_MAX)
    models: Annotated[tuple[Model, ...], BeforeValidator(one_or_more), Field(min_length=1)]
    webhooks: dict[str, Receiver] = Field(default_factory=dict)
    notify: dict[str, Notify] = Field(default_factory=dict)
    grafana: Grafana | None = None
    server: Server = Server()

    @model_validator(mode="after")
    def _inherit(self) -> Self:
        shared = ("window", "lateness", "idle_after", "timezone", "alarms")
        models = tuple(
            model.model_copy(update={key: getattr(self, key) for key in shared if key not in model.model_fields_set})
            for model in self.models
        )
        # A time zone or a window may come from the top of the file, so only now is it known what goes with it.
        refuse(
            *(
                (("models", place, *where), text)
                for place, model in enumerate(models)
                for where, text in (
                    *(span_problems(model.reference.learn, model.window) if isinstance(model.reference, Made) else ()),
                    *calendar_problems(model.calendar, model.timezone),
                    *segments_max_problems(model.segments, self.segments_max),
                )
            ),
            *notify_problems(self.notify, tuple(self.webhooks), [model.name for model in models]),
        )
        return self.model_copy(update={"models": models})


def _version(key: str) -> tuple[str, ...]:
    return (key,) if key else ()


def _performance(task: object, value: Mapping[str, object]) -> dict[str, object]:
    given = dict(value)
    # Without a task the metric cannot be judged: that the task is missing is said once, not twice.
    given.setdefault("metric", default_metric(cast("Task", task)) if task in get_args(Task) else "")
    name = given.get("metric")
    metric = METRICS.get(name) if isinstance(name, str) else None
    if metric is None or metric.unit == "share":
        given.setdefault("drop", DROP)
    return given
