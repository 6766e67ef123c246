"""The compiled references that a configuration names, each read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.errors import CodecError, FormatError
from monitor.events.batch import OUTPUTS
from monitor.events.schema import Kind
from monitor.profiles.layout import NumericLayout
from monitor.profiles.reference import Reference


@dataclass(frozen=True, slots=True)
class References:
    """Reads below `directory`; what a path gave is kept, a problem as its sentence."""

    directory: Path
    _read: dict[str, Reference | str] = field(default_factory=dict)

    def get(self, path: str) -> Reference | str:
        """The reference of a path, or the end of a sentence that says why there is none."""
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: str) -> Reference | str:
        try:
            return Reference.load((self.directory / path).read_bytes())
        except FileNotFoundError:
            return f"is {path}, which does not exist: compile it with `monitor init`"
        except OSError as error:
            return f"is {path}, which cannot be read ({error.strerror}): check the path and its permissions"
        except FormatError as error:
            return f"is {path}, which another version of this program wrote ({error}): compile it again"
        except CodecError:
            return f"is {path}, which is not a compiled reference: compile it with `monitor init`"

    def known(self, written: object) -> dict[str, Any]:
        """What the first reference that can be read knows: task, positive, features, performance.threshold."""
        paths = written.values() if isinstance(written, Mapping) else [written]
        for path in paths:
            reference = self.get(path) if isinstance(path, str) else None
            if isinstance(reference, Reference):
                outcome = reference.layout.outcome
                return {
                    "task": outcome.task,
                    "positive": outcome.positive,
                    "features": kinds(reference),
                    "performance": {"threshold": outcome.threshold},
                }
        return {}


def kinds(reference: Reference) -> dict[str, Kind]:
    """The type of each feature that a reference has cells for."""
    return {
        name: "numeric" if isinstance(layout, NumericLayout) else "categorical"
        for name, layout in reference.layout.features.items()
        if name not in OUTPUTS
    }
