"""A YAML file as plain values that remember the line they stand on.

Scalars are read by YAML 1.2's rules: `on`, `off`, `yes` and `no` are text (under YAML 1.1 they are booleans, which
`retrain: {on: ...}`, `monitor: off` and the country NO cannot bear), dates are text, and so is 1:30. Keys are always
text, exactly as written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import ConfigError

Location = tuple[str | int, ...]
"""Keys and list indices from the root of a file to a value."""

_DEPTH_MAX = 20
_BARE = re.compile(r"(?:[A-Za-z_]|\./)[A-Za-z0-9_./-]*|\d+(?:ms|[smhd])", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Document:
    """content: the root's value. lines: 1-based line of every location. repeated: locations written twice."""

    path: Path
    content: object
    lines: Mapping[Location, int]
    repeated: tuple[Location, ...]

    def line(self, location: Location) -> int:
        """The line of a location, or of the nearest thing around it that the file has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read(path: Path) -> Document:
    """The document of a file; ConfigError where there is none, or it is no YAML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: write it with `monitor init`, or name another with -c") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Document:
    """The document of a text; `path` is what errors call it."""
    try:
        walk = _Walk(_Loader(text))
        content = walk.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: not valid YAML, {what}: correct this line") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: holds the control character {error.character:#04x}: remove it") from None
    except RecursionError:
        raise ConfigError(f"{path}:1: is nested too deep to be read: take some of the brackets out") from None
    return Document(path, content, walk.lines, tuple(walk.repeated))


def quoted(text: str) -> str:
    """Text as a YAML scalar on one line that reads back the same, here and elsewhere; quotes only where needed."""
    if _BARE.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in escaped)


class _Loader(yaml.SafeLoader):
    """YAML's syntax, with its own table of what an unquoted scalar means."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


@dataclass(slots=True)
class _Walk:
    loader: _Loader
    lines: dict[Location, int] = field(default_factory=dict)
    repeated: list[Location] = field(default_factory=list)

    def document(self) -> object:
        root = self.loader.get_single_node()
        return None if root is None else self.value(root, ())

    def value(self, node: yaml.Node, location: Location) -> object:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if len(location) > _DEPTH_MAX:
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return {key: self.value(child, (*location, key)) for key, child in self._entries(node, location)}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*location, index)) for index, child in enumerate(node.value)]
        scalar: Any = self.loader.construct_object(node)
        return scalar

    def _entries(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values, those of a merge (`<<`) first; a key written twice is noted, and the last one holds."""
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
        own = Counter(key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge")
        self.repeated += [(*location, key) for key, times in own.items() if times > 1]
        self.loader.flatten_mapping(node)
        for key, child in node.value:
            self.lines[(*location, key.value)] = key.start_mark.line + 1
            yield key.value, child
