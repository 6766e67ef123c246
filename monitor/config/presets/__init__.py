"""Pipeline engines that are known: for each a template, and what a file has to say besides. The files are beside this
one, `<name>.yaml`; what a user writes under `template` is the same thing.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from monitor.config import document
from monitor.config.problems import Problem
from monitor.config.settings import Settings, one_or_more
from monitor.config.template import Login, Template, Tree, directive, names, placeholder_problems

Auth = Literal["token", "basic", "login", "signed", "none"]
"""How a receiver is shown who asks: a token; user and password, with every request or once for a token; a signature."""

_HERE = Path(__file__).parent
PRESETS = tuple(sorted(path.stem for path in _HERE.glob("*.yaml")))


class Parameter(Settings):
    """What a file says of its own engine. about: one sentence. kind: template: a mapping that may hold placeholders."""

    about: str
    kind: Literal["text", "integer", "template"] = "text"
    required: bool = True
    default: Any = None

    @property
    def needed(self) -> bool:
        return self.required and self.default is None


class Preset(Settings):
    """How one engine is asked. auth: the ways that it knows. login: where it gives tokens."""

    about: str
    template: Template
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    auth: Annotated[tuple[Auth, ...], BeforeValidator(one_or_more)]
    login: Login | None = None

    @property
    def names(self) -> Tree:
        """What its placeholders may name."""
        inner: Tree = {name: {} if each.kind == "template" else None for name, each in self.parameters.items()}
        return names(inner, ("token",) if self.template.shown_in == "body" else ())

    @property
    def in_path(self) -> frozenset[str]:
        """Parameters that are, or are part of, a segment of the path."""
        calls = [self.template, *([self.template.lookup] if self.template.lookup else [])]
        return frozenset(name for call in calls for value in call.path for name in _parameters(value))

    def problems(self) -> Iterator[Problem]:
        """What is wrong with its placeholders."""
        for where, value in self.template.templates:
            yield from placeholder_problems(value, self.names, ("template", *where))
        for where, value in self.login.templates if self.login else ():
            yield from placeholder_problems(value, names(secrets=("user", "password")), ("login", *where))


@functools.cache
def preset(name: str) -> Preset:
    """One of `PRESETS`."""
    return Preset.model_validate(document.read(_HERE / f"{name}.yaml").content)


def own(template: Template) -> Preset:
    """The preset that a user's own template makes."""
    return Preset(about="a template of your own", template=template, auth=("token", "basic", "signed", "none"))


def _parameters(value: object) -> Iterator[str]:
    word = directive(value)
    if isinstance(value, Mapping) and word:
        name = value[word]
        if isinstance(name, str):
            yield from [name.removeprefix("param.")] if name.startswith("param.") else []
        else:
            yield from _parameters(name)
