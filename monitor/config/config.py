"""The configuration of one instance: read, checked, and handed on as the plain values that the core is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import ValidationError

from monitor.config import document
from monitor.config.client import check_client
from monitor.config.document import Document, Location
from monitor.config.grafana import Access, Told
from monitor.config.kafka import Kafka
from monitor.config.models import Context, File, Made, Model
from monitor.config.network import is_loopback
from monitor.config.notify import Notified, secret_problem
from monitor.config.problems import Problem, problems_of, sentences
from monitor.config.receivers import Pipeline, Webhook
from monitor.config.references import References, kinds
from monitor.config.secrets import read_access, read_secret, read_token
from monitor.config.server import Reachable, Server
from monitor.config.settings import Settings
from monitor.errors import ConfigError
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.profiles.reference import Reference
from monitor.spec import DAY_MS, Against, AlarmSpec, FeatureSpec, MadeSpec, ModelSpec, PerformanceSpec, RetrainSpec
from monitor.windows.window import WindowSpec

_Part = TypeVar("_Part", bound=Settings)


class Receiver(NamedTuple):
    """A receiver with the texts of its secret files: of several that sign, the first is the current one."""

    name: str
    settings: Webhook | Pipeline
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Receiver(name={self.name!r})"


@dataclass(frozen=True, repr=False)
class Config:
    """A valid configuration file. Relative paths in it are relative to the file."""

    file: File
    _document: Document
    _references: References = field(compare=False)

    def __repr__(self) -> str:
        return f"Config({str(self.path)!r})"

    @property
    def path(self) -> Path:
        return self._document.path

    @property
    def kafka(self) -> Kafka:
        return self.file.kafka

    @property
    def server(self) -> Server:
        return self.file.server

    @property
    def state(self) -> Path:
        """The state directory."""
        return self._resolve(self.file.state)

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, each with every value it inherits."""
        return {model.name: model for model in self.file.models}

    @cached_property
    def digest(self) -> str:
        """Sha-256 of every effective value: two files that mean the same share it, in whatever order or words."""
        return codec.sha256(orjson.dumps(self.effective(), option=orjson.OPT_SORT_KEYS))

    def effective(self) -> dict[str, Any]:
        """Every value as it would be written, defaults included; secrets only by the names of their files."""
        return self.file.model_dump(mode="json", by_alias=True, exclude_none=True)

    def given(self, location: Location) -> bool:
        """Whether the file itself has this location, so that its value is no default."""
        return location in self._document.lines

    def specs(self) -> dict[str, ModelSpec]:
        """What the core is told of each model."""
        most = self.file.segments_max
        return {name: _spec(model, self.references()[name], most) for name, model in self.models.items()}

    def references(self) -> dict[str, dict[str, Reference]]:
        """The compiled references of each model by version; a version "" is of every one that has none of its own."""
        found: dict[str, dict[str, Reference]] = {name: {} for name in self.models}
        for name, model in self.models.items():
            for version, path in model.compiled.items():
                reference = self._references.get(path)
                assert isinstance(reference, Reference), "a valid file names references that can be read"
                found[name][version or reference.version] = reference
        return found

    def webhooks(self) -> list[Receiver]:
        """Receivers with their secrets, read now; ConfigError names every file that cannot be used."""
        problems: list[Problem] = []
        receivers = [
            Receiver(name, webhook, tuple(self._secret(path, ("webhooks", name), problems) for path in webhook.files))
            for name, webhook in self.file.webhooks.items()
        ]
        self._raise(problems)
        return receivers

    def notified(self) -> list[Notified]:
        """Who is told of incidents, with secrets, read now; ConfigError as for `webhooks`."""
        problems: list[Problem] = []
        found = []
        for name, told in self.file.notify.items():
            where: Location = ("notify", name, told.kind)
            secrets = tuple(self._secret(path, where, problems) for path in told.files)
            problems += [(where, text) for secret in secrets if secret and (text := secret_problem(told, secret))]
            found.append(Notified(name, told, secrets))
        self._raise(problems)
        return found

    def kafka_settings(self) -> dict[str, object]:
        """Keyword arguments for the Kafka client, with passwords read now; ConfigError as for `webhooks`."""
        problems: list[Problem] = []
        settings: dict[str, object] = {"bootstrap_servers": list(self.kafka.bootstrap_servers)}
        for name, value in self.kafka.client.items():
            settings[name] = tuple(value) if isinstance(value, list) else value
        for name in ("sasl_plain_password", "ssl_password"):
            path = getattr(self.kafka, f"{name}_file")
            if path is not None:
                settings[name] = self._secret(path, ("kafka", f"{name}_file"), problems)
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile"):
            if isinstance(settings.get(name), str):
                settings[name] = str(self._resolve(str(settings[name])))
        self._raise(problems)
        return settings

    def token(self) -> str | None:
        """What everybody has to know who asks the service, read now; None where only this machine may ask. ConfigError
        as for `webhooks`.
        """
        problems: list[Problem] = []
        found = read_token(self._references.directory, self.server, problems)
        self._raise(problems)
        return found

    def grafana(self) -> Access | None:
        """Grafana with its token, read now; None where the file names none. ConfigError as for `webhooks`."""
        problems: list[Problem] = []
        told = self.file.grafana
        found = None if told is None else read_access(self._references.directory, told, problems)
        self._raise(problems)
        return found

    def warnings(self) -> list[str]:
        """What is allowed but unwise, a sentence each: secrets that every user of the machine can read, and links that
        lead nowhere from elsewhere.
        """
        files: list[tuple[Location, str]] = [
            (("kafka", key), path)
            for key in ("sasl_plain_password_file", "ssl_password_file")
            if (path := getattr(self.kafka, key)) is not None
        ]
        files += [(("server", "token_file"), self.server.token_file)] if self.server.token_file else []
        files += [(("grafana", "token_file"), self.file.grafana.token_file)] if self.file.grafana else []
        files += [(("webhooks", name), path) for name, hook in self.file.webhooks.items() for path in hook.files]
        files += [(("notify", name, told.kind), path) for name, told in self.file.notify.items() for path in told.files]
        found = [(where, text) for where, path in files for text in self._exposed(path)]
        if not is_loopback(self.server.host) and self.server.public_url is None:
            text = "is missing, so links in messages lead nowhere elsewhere: write where others reach the service"
            found.append((("server", "public_url"), text))
        return sentences(self._document, found)

    def _resolve(self, path: str) -> Path:
        return self._references.directory / path

    def _secret(self, path: str, where: Location, problems: list[Problem]) -> str:
        return read_secret(self._references.directory, path, where, problems)

    def _exposed(self, path: str) -> Iterator[str]:
        try:
            mode = self._resolve(path).stat().st_mode
        except OSError:
            return
        if mode & 0o007:
            yield f"names {path}, which every user of this machine can read: chmod 600"

    def _raise(self, problems: list[Problem]) -> None:
        if problems:
            raise ConfigError(*sentences(self._document, problems))


def load(path: Path) -> Config:
    """The configuration of a file. ConfigError holds every problem found, each with its line, path and remedy."""
    source, content = _read(path)
    references = References(path.parent)
    webhooks = content.get("webhooks")
    context = Context(references, tuple(webhooks) if isinstance(webhooks, Mapping) else ())
    problems: list[Problem] = [(where, "is written twice: remove one of them") for where in source.repeated]
    problems += _client_settings(content) + _repeated_models(content)
    try:
        file = File.model_validate(content, context=context)
    except ValidationError as error:
        raise ConfigError(*sentences(source, [*problems, *problems_of(error, File)])) from None
    if problems:
        raise ConfigError(*sentences(source, problems))
    return Config(file, source, references)


def load_server(path: Path) -> tuple[Server, str | None]:
    """Where the service of a configuration listens, and the token that it asks for, if any; ConfigError as of `load`,
    but of nothing else in the file.
    """
    source, told = _part(path, Reachable)
    problems: list[Problem] = []
    token = read_token(path.parent, told.server, problems)
    if problems:
        raise ConfigError(*sentences(source, problems))
    return told.server, token


def load_state(path: Path) -> Path:
    """The state directory of a configuration; ConfigError as of `load_server`."""
    return path.parent / _part(path, Reachable)[1].state


def load_grafana(path: Path) -> Access:
    """The Grafana of a configuration; ConfigError as of `load`, but of nothing else in the file."""
    source, told = _part(path, Told)
    if told.grafana is None:
        raise ConfigError(f"{path} has no `grafana`: add where it is, as in grafana: {{url: ..., token_file: ...}}")
    problems: list[Problem] = []
    access = read_access(path.parent, told.grafana, problems)
    if problems:
        raise ConfigError(*sentences(source, problems))
    return access


def _part(path: Path, kind: type[_Part]) -> tuple[Document, _Part]:
    """A part of a configuration."""
    source, content = _read(path)
    try:
        return source, kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(*sentences(source, problems_of(error, kind))) from None


def _read(path: Path) -> tuple[Document, Mapping[str, object]]:
    source = document.read(path)
    if not isinstance(source.content, Mapping):
        raise ConfigError(f"{path}:1: the file is no mapping: begin with kafka: and models:, or use `monitor init`")
    return source, source.content


def _client_settings(content: Mapping[str, object]) -> list[Problem]:
    kafka = content.get("kafka")
    own = tuple(Kafka.model_fields)
    given = {name: value for name, value in kafka.items() if name not in own} if isinstance(kafka, dict) else {}
    return [(("kafka", name), text) for name, text in check_client(given, own)]


def _repeated_models(content: Mapping[str, object]) -> list[Problem]:
    models = content.get("models")
    names = [model.get("name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    counts = Counter(name for name in names if isinstance(name, str))
    return [
        (("models", index, "name"), f"is {name!r}, as of another model: give each its own")
        for index, name in enumerate(names)
        if isinstance(name, str) and counts[name] > 1 and name in names[:index]
    ]


def _spec(model: Model, references: Mapping[str, Reference], segments_max: int) -> ModelSpec:
    # Cells exist for every feature of a reference, so each of these is decoded even where nobody watches it.
    celled = {name for reference in references.values() for name in kinds(reference)} or set(model.features)
    classes = {name for reference in references.values() for name in reference.layout.outcome.classes}
    schema = Schema(
        model=model.name,
        task=model.task,
        features={name: feature.type for name, feature in model.features.items() if name in celled},
        positive=model.positive,
        feature_order=model.feature_order,
        kafka_time=model.kafka_time,
        classes=frozenset(classes) if model.task == "multiclass" and references else None,
    )
    judged = model.performance
    # A change from one window to the next shows in one window.
    sudden = isinstance(model.reference, Made) and model.reference.previous is not None
    return ModelSpec(
        name=model.name,
        schema=schema,
        window=model.window,
        performance=PerformanceSpec(
            judged.metric, judged.drop, judged.wait, judged.threshold, labels_min=judged.labels_min
        ),
        retrain=_retrain(model),
        features={name: FeatureSpec(feature.monitor, feature.importance) for name, feature in model.features.items()},
        lateness_ms=model.lateness,
        idle_after_ms=model.idle_after,
        arrival=model.arrival,
        labelled=model.labels == "late",
        retention_ms=model.retention,
        retire_ms=model.retire_after,
        alarms=AlarmSpec(
            model.alarms.budget,
            model.alarms.tolerance,
            1 if sudden else model.alarms.persistence,
            model.alarms.learning,
            {name: told.tolerance for name, told in model.features.items() if told.tolerance is not None},
        ),
        timezone=model.timezone,
        made=_made(model.reference, model.window) if isinstance(model.reference, Made) else None,
        calendar=tuple(entry.spec(model.timezone) for entry in model.calendar),
        segments=model.segments,
        segments_max=segments_max,
    )


def _made(told: Made, window: WindowSpec) -> MadeSpec:
    """Where `learn` is left out, of three days or twenty windows, or of as many as are compared with."""
    against: Against = "previous" if told.previous else "rolling" if told.rolling else "first"
    windows = told.previous or told.rolling or 0
    if told.learn is not None:
        size = told.learn.size
    elif window.timed:
        size = max(3 * DAY_MS, windows * window.size)
    else:
        size = max(20, windows) * window.size
    return MadeSpec(size, window.unit if told.learn is None else told.learn.unit, against, windows)


def _retrain(model: Model) -> RetrainSpec | None:
    asked = model.retrain
    if asked is None:
        return None
    labels_min = asked.labels_min if model.labels == "late" else 0
    return RetrainSpec(
        asked.webhook, frozenset(asked.on), asked.cooldown, labels_min, asked.budget, asked.approval, asked.expires
    )
