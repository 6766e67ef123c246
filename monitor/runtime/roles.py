"""What the columns of a table are to a model: which one is the prediction, which is a feature, and of what type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor.config import Columns
from monitor.config.problems import listed
from monitor.errors import ConfigError
from monitor.events.batch import OUTPUTS, PRESENT, CategoricalColumn, NumericColumn
from monitor.events.schema import Schema, Task
from monitor.exports.text import counted
from monitor.runtime import cells
from monitor.runtime.frames import Frame
from monitor.runtime.inference import Inferred, guess_task, infer
from monitor.statistics.performance import default_metric

ROLES = ("id", "timestamp", "version", "prediction", "score", "label")
ROWS_MIN = 20
"""Rows of a reference at least: with fewer, types of columns are guesses and nothing can be compared."""

THRESHOLD = 0.5
"""Scores from here on are positive where a table has no decisions."""

_POSITIVE = re.compile(
    r"1|true|yes|y|t|pos(itive)?|fraud(ulent)?|bad|default(ed)?|churn(ed)?|spam|attack|anomaly|fail(ed|ure)?|sick|"
    r"disease|malignant|win|won|click(ed)?|converted|>50k",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the columns of a table are. schema: of the watched features; said: what was assumed, as sentences."""

    schema: Schema
    columns: Columns
    features: Mapping[str, Inferred]
    threshold: float | None
    metric: str
    said: tuple[str, ...]

    @classmethod
    def of(cls, frame: Frame, model: str, task: Task | None, columns: Columns) -> Plan:
        if frame.rows < ROWS_MIN:
            raise ConfigError(f"{frame.path} has {counted(frame.rows, 'row')}: name a table of at least {ROWS_MIN}")
        _require_columns(frame, columns)
        roles = {role: name for role in ROLES if (name := _role(frame, columns, role)) is not None}
        said = [f"took column {name!r} as {role}" for role, name in roles.items() if getattr(columns, role) is None]
        if not roles.keys() & {"prediction", "score", "label"}:
            raise ConfigError(
                f"{frame.path} has no column of predictions: name it with --prediction, or the probability of the "
                f"positive class with --score, or the truth of training data with --label; it has "
                f"{listed(frame.columns)}"
            )
        if task is None:
            task = _guess(frame, roles)
            said.append(f"took the task as {task}")
        _check_score(task, roles.get("score"))
        _require_once(frame, roles)
        positive = None
        if task == "binary":
            positive, why = _positive(frame, roles)
            said.append(f"took {positive!r} as the positive class: {why}")
        taken = {name for value in roles.values() for name in _names(value)}
        features = {
            name: infer(name, values, typed=frame.typed) for name, values in frame.columns.items() if name not in taken
        }
        _require_features(frame, features, answers=bool(roles.keys() & {"prediction", "score"}))
        schema = Schema(model, task, {name: found.kind for name, found in features.items() if not found.why}, positive)
        decides = "score" not in roles or "prediction" in roles or task != "binary"
        mapped = {role: name for role, name in roles.items() if name != role}
        return cls(
            schema,
            Columns.model_validate(mapped),
            features,
            None if decides else THRESHOLD,
            default_metric(task) if task != "binary" or "score" in roles else "f1",
            tuple(said),
        )


def _require_columns(frame: Frame, columns: Columns) -> None:
    problems = [
        f"{frame.path} has no column {name!r} for {role}: it has {listed(frame.columns)}"
        for role, value in columns.model_dump(exclude_none=True).items()
        for name in _names(value)
        if name not in frame.columns
    ]
    if problems:
        raise ConfigError(*problems)


def _require_once(frame: Frame, roles: Mapping[str, str | Mapping[str, str]]) -> None:
    """No column is two things to a model."""
    roles_of: dict[str, list[str]] = {}
    for role, value in roles.items():
        for name in _names(value):
            roles_of.setdefault(name, []).append(role)
    problems = [
        f"{frame.path}, column {name!r}: is named as {' and as '.join(mine)}: name another column for one of them"
        for name, mine in roles_of.items()
        if len(mine) > 1
    ]
    if problems:
        raise ConfigError(*problems)


def _require_features(frame: Frame, features: Mapping[str, Inferred], *, answers: bool) -> None:
    """Something to watch, under names that are not those of what the model answers."""
    for name in OUTPUTS:
        if name in features:
            raise ConfigError(
                f"{frame.path}, column {name!r}: a feature cannot have this name, which stands for what the model "
                f"answers: rename it, or name it with --{name[1:]}"
            )
    if not answers and all(found.why for found in features.values()):
        why = "; ".join(f"{name} {found.why}" for name, found in [*features.items()][:5])
        raise ConfigError(
            f"{frame.path} has nothing to watch: name a table with features, or with predictions"
            + (f" (of its columns, {why})" if why else "")
        )


def _names(value: str | Mapping[str, str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value.values())


def _role(frame: Frame, columns: Columns, role: str) -> str | Mapping[str, str] | None:
    named: str | Mapping[str, str] | None = getattr(columns, role)
    if named is not None:
        return named
    return role if role in frame.columns and role not in columns.named else None


def _guess(frame: Frame, roles: Mapping[str, str | Mapping[str, str]]) -> Task:
    if isinstance(roles.get("score"), dict):
        return "multiclass"
    target = roles.get("label", roles.get("prediction"))
    return guess_task(frame.columns[str(target)], typed=frame.typed) if target is not None else "binary"


def _check_score(task: Task, score: str | Mapping[str, str] | None) -> None:
    if score is not None and task == "regression":
        raise ConfigError("--score names a probability, which a regression model has none of: name --prediction alone")
    if isinstance(score, str) and task == "multiclass":
        raise ConfigError(
            "--score names one column, but a multiclass model has one a class: leave it out, and map "
            "columns: {score: {class: column}} in monitor.yaml"
        )


def _positive(frame: Frame, roles: Mapping[str, str | Mapping[str, str]]) -> tuple[str, str]:
    """The positive class of two, and how it was found: by the scores, its name, or its rarity."""
    target = roles.get("label", roles.get("prediction"))
    if target is None:
        return "1", "the table names no classes, so correct this"
    classes = cells.categories(frame.columns[str(target)], typed=frame.typed)
    counts = np.bincount(classes.codes[classes.codes >= 0], minlength=len(classes.values))
    found = [value for value, count in zip(classes.values, counts, strict=True) if count and value]
    if len(found) > 2:
        raise ConfigError(f"{frame.path}, column {target!r}: has {len(found)} classes: a binary task has two")
    score = roles.get("score")
    if len(found) == 2 and isinstance(score, str):
        higher = _higher_score(classes, cells.numbers(frame.columns[score]))
        if higher is not None:
            return higher, "its scores are higher"
    named = [value for value in found if _POSITIVE.fullmatch(value.removesuffix("."))]
    if len(named) == 1:
        return named[0], "by its name"
    if not found:
        raise ConfigError(f"{frame.path}, column {target!r}: holds no classes: name another column")
    share = {value: int(count) for value, count in zip(classes.values, counts, strict=True)}
    return min(sorted(found, reverse=True), key=share.__getitem__), "it is the rarer one"


def _higher_score(classes: CategoricalColumn, scores: NumericColumn) -> str | None:
    """The class whose rows have the clearly higher mean score, if one has."""
    means = {}
    for code, value in enumerate(classes.values):
        rows = (classes.codes == code) & (scores.state == PRESENT)
        if value and rows.any():
            means[value] = float(scores.values[rows].mean())
    if len(means) != 2:
        return None
    low, high = sorted(means, key=means.__getitem__)
    return high if means[high] - means[low] > 0.01 else None
