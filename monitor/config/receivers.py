"""Who is sent what: `webhooks` of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationError, model_validator

from monitor.config.network import receiver_url
from monitor.config.presets import PRESETS, Auth, Parameter, Preset, own, preset
from monitor.config.problems import Problem, later, listed, near, problems_of, refuse
from monitor.config.settings import Names, Settings, Text
from monitor.config.template import Template, directive, placeholder_problems

Address = Annotated[str, AfterValidator(receiver_url)]

_SHOWN: Mapping[Auth, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "token": (frozenset({"token_file"}),),
        "basic": (frozenset({"user", "password_file"}),),
        "login": (frozenset({"user", "password_file"}),),
        "signed": (frozenset({"secret_file"}), frozenset({"secret_files"})),
        "none": (frozenset(),),
    }
)
"""The keys by which a receiver is shown who asks."""

_AUTH = frozenset().union(*(keys for ways in _SHOWN.values() for keys in ways))


class Webhook(Settings):
    """A receiver of retrain requests; signed with the first secret, the second while it is being replaced."""

    url: Address
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


class Pipeline(Settings):
    """A pipeline engine that is asked for a retrained model in its own words: those of a preset, with what this says
    besides (`parameters`), or of a template.
    """

    model_config = ConfigDict(extra="allow")

    preset: Text | None = None
    template: Template | None = None
    url: Address
    token_file: Text | None = None
    user: Text | None = None
    password_file: Text | None = None
    secret_file: Text | None = None
    secret_files: Names | None = None

    @property
    def engine(self) -> Preset:
        return preset(self.preset) if self.preset is not None else own(self.template or Template())

    @property
    def parameters(self) -> dict[str, Any]:
        """What the file says and what the preset says where it does not; none of what neither says."""
        defaults = {name: each.default for name, each in self.engine.parameters.items() if each.default is not None}
        return {**defaults, **(self.model_extra or {})}

    @property
    def auth(self) -> Auth:
        given = frozenset(key for key in _AUTH if getattr(self, key) is not None)
        return next(way for way in self.engine.auth if given in _SHOWN[way])

    @property
    def files(self) -> tuple[str, ...]:
        one = self.token_file or self.password_file or self.secret_file
        return self.secret_files or ((one,) if one else ())


def _receiver(value: object) -> object:
    """The receiver that a mapping describes, by hand: which keys it may have is for its preset to say."""
    if not isinstance(value, Mapping):
        return value
    if "preset" not in value and "template" not in value:
        belongs = {key: tuple(name for name in PRESETS if key in preset(name).parameters) for key in value}
        strange = [key for key, presets in belongs.items() if presets or key in _AUTH - Webhook.model_fields.keys()]
        problems: list[Problem] = [((key,), _of_presets(belongs[key])) for key in strange]
        return _validated(Webhook, {key: value[key] for key in value if key not in strange}, problems)
    engine, problems = _engine(value)
    known = Pipeline.model_fields.keys() | (engine.parameters.keys() if engine else value.keys())
    if engine is not None:
        problems += [*_parameter_problems(engine, value), *_auth_problems(engine, value)]
        problems += [((key,), _unknown(key, engine, value)) for key in value if key not in known]
    return _validated(Pipeline, {key: value[key] for key in value if key in known}, problems)


def _validated(kind: type[Webhook | Pipeline], value: Mapping[str, Any], problems: list[Problem]) -> Webhook | Pipeline:
    """The settings; every problem at once, of which pydantic knows some."""
    try:
        settings = kind.model_validate(value)
        if isinstance(settings, Pipeline) and settings.preset is None:
            problems = [*problems, *settings.engine.problems()]
    except ValidationError as error:
        problems = problems + [found for found in problems_of(error, kind) if found not in problems]
    refuse(*problems)
    return settings


def _engine(value: Mapping[str, Any]) -> tuple[Preset | None, list[Problem]]:
    name = value.get("preset")
    if "preset" in value and "template" in value:
        return None, [((), "has both preset and template: keep one")]
    if "template" in value:
        advice = "write the request, as in {path: [run], body: {event: {$: event}}}"
        return own(Template()), [] if value["template"] else [(("template",), f"is empty: {advice}")]
    if not isinstance(name, str):
        return None, [(("preset",), f"is empty: name one of {', '.join(PRESETS)}")] if name is None else []
    if name in PRESETS:
        return preset(name), []
    guess = near(name, PRESETS)
    advice = f"did you mean {guess!r}?" if guess else "or write a template of your own"
    return None, [(("preset",), f"is {name!r}, not one of {', '.join(PRESETS)}: {advice}")]


def _parameter_problems(engine: Preset, value: Mapping[str, Any]) -> Iterator[Problem]:
    for name, parameter in engine.parameters.items():
        if name in value:
            yield from _value_problems(name, parameter, engine, value[name])
        elif parameter.needed:
            yield (name,), f"is missing: name {parameter.about}"


def _value_problems(name: str, parameter: Parameter, engine: Preset, value: object) -> Iterator[Problem]:
    if parameter.kind == "integer":
        if type(value) is not int:
            yield (name,), f"must be a whole number: {parameter.about}"
    elif parameter.kind == "template":
        if not isinstance(value, Mapping) or directive(value) not in ("", "$"):
            yield (name,), "must be a mapping, one `name: value` a line"
        else:
            # A name and a value of the engine's own: what a parameter holds may name no other.
            known = {key: inner for key, inner in engine.names.items() if key not in ("param", "secret")}
            yield from placeholder_problems(value, known, (name,))
    elif not isinstance(value, str) or not value:
        yield (name,), f"must be text: put {parameter.about} in quotes"
    elif not value.isprintable():
        yield (name,), "holds characters that cannot be printed: remove them"
    elif name in engine.in_path and any(part in ("", ".", "..") for part in value.split("/")):
        yield (name,), f"is no part of an address: write {parameter.about}"


def _auth_problems(engine: Preset, value: Mapping[str, Any]) -> Iterator[Problem]:
    given = frozenset(key for key in _AUTH if value.get(key) is not None)
    if not any(given in _SHOWN[way] for way in engine.auth):
        ways = dict.fromkeys(" and ".join(sorted(keys, reverse=True)) for way in engine.auth for keys in _SHOWN[way])
        yield (), f"must have {', or '.join(keys or 'none of these' for keys in ways)}, to show the receiver who asks"
    if isinstance(value.get("user"), str) and (":" in value["user"] or not value["user"].isprintable()):
        yield ("user",), "holds a colon or what cannot be printed: remove it"


def _unknown(key: str, engine: Preset, value: Mapping[str, Any]) -> str:
    if later(("webhooks", "*", key)):
        return "is not available in this version: remove it"
    known = [*engine.parameters, *Pipeline.model_fields]
    others = [name for name in PRESETS if key in preset(name).parameters]
    if others:
        return f"belongs to the preset {' or '.join(others)}, not to {value.get('preset', 'a template')}: remove it"
    guess = near(key, known)
    return "is not a known key: " + (f"did you mean {guess!r}?" if guess else f"the keys here are {listed(known)}")


def _of_presets(presets: tuple[str, ...]) -> str:
    named = f" ({', '.join(presets)})" if presets else ""
    return f"belongs to a preset{named}: add `preset`, or remove it"


Receiver = Annotated[Pipeline | Webhook, BeforeValidator(_receiver)]
