"""Where values of one model contradict each other, or its reference: a problem names both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.config import units
from monitor.config.problems import Problem, listed, near
from monitor.config.references import kinds
from monitor.profiles.reference import Reference
from monitor.statistics.performance import METRICS
from monitor.windows.window import WindowSpec

if TYPE_CHECKING:
    from monitor.config.models import Model


def task_problems(model: Model) -> list[Problem]:
    """What does not fit the task."""
    problems: list[Problem] = []
    metric = METRICS.get(model.performance.metric)
    known = [name for name, metric in METRICS.items() if model.task in metric.tasks]
    if metric is None or model.task not in metric.tasks:
        where = ("performance", "metric")
        problems.append((where, f"is {model.performance.metric!r}, no metric of a {model.task} model: {listed(known)}"))
    if model.task == "binary" and model.positive is None:
        problems.append((("positive",), "is missing: name the class that `score` is the probability of"))
    if model.task != "binary" and model.positive is not None:
        problems.append((("positive",), f"belongs to a binary model, and task is {model.task}: remove it"))
    if model.task != "binary" and model.performance.threshold is not None:
        where = ("performance", "threshold")
        problems.append((where, f"belongs to a binary model, and task is {model.task}: remove it"))
    if isinstance(model.columns.score, str) and model.task == "multiclass":
        problems.append((("columns", "score"), "needs one column a class: write {class: column}"))
    if isinstance(model.columns.score, dict) and model.task != "multiclass":
        problems.append((("columns", "score"), f"needs the name of one column, as task is {model.task}"))
    return problems


def feature_problems(model: Model) -> list[Problem]:
    """What `feature_order` and `features` disagree on."""
    order = model.feature_order
    problems: list[Problem] = []
    for index, name in enumerate(order):
        if name not in model.features:
            guess = near(name, model.features)
            advice = f"did you mean {guess!r}?" if guess else "add it there, with monitor: off if nobody watches it"
            problems.append((("feature_order", index), f"is {name!r}, which `features` does not name: {advice}"))
        elif name in order[:index]:
            problems.append((("feature_order", index), f"repeats {name!r}: name each position once"))
    absent = [name for name in model.watched if order and name not in order]
    if absent:
        problems.append((("feature_order",), f"leaves out {listed(absent)} of `features`: name every position"))
    return problems


def label_problems(model: Model) -> list[Problem]:
    """What cannot be, given when labels come."""
    problems: list[Problem] = []
    if model.performance.wait > model.retention:
        wait, retention = map(units.duration_text, (model.performance.wait, model.retention))
        text = f"is {wait}, longer than retention ({retention}), so labels would come too late: lengthen retention"
        problems.append((("performance", "wait"), text))
    if model.labels == "none" and model.retrain is not None and "performance" in model.retrain.on:
        problems.append((("retrain", "on"), "names performance, which needs labels, but labels is none: remove one"))
    return problems


def segment_problems(model: Model) -> list[Problem]:
    """Columns that give no segments."""
    problems: list[Problem] = []
    known = [name for name, feature in model.features.items() if feature.type == "categorical"]
    for index, name in enumerate(model.segments):
        where = ("segments", index)
        if name in model.segments[:index]:
            problems.append((where, f"repeats {name!r}: name each column once"))
        elif name in known:
            continue
        elif name in model.features:
            problems.append((where, f"is {name!r}, a numeric feature: segments are by the values of a categorical one"))
        else:
            guess = near(name, known)
            advice = f"did you mean {guess!r}?" if guess else "add it there, as categorical"
            problems.append((where, f"is {name!r}, which `features` does not name: {advice}"))
    return problems


def segments_max_problems(columns: Sequence[str], most: int) -> list[Problem]:
    """Too many columns for each to have a value of its own, and one for all others."""
    if 2 * len(columns) <= most:
        return []
    text = f"names {len(columns)} columns, and segments_max is {most}: each needs at least two, so name fewer"
    return [(("segments",), text)]


def made_problems(model: Model) -> list[Problem]:
    """What cannot be learned as it is told."""
    if model.watched:
        return []
    return [(("features",), "names nothing to watch, and there is no compiled reference: add features")]


def span_problems(learn: WindowSpec | None, window: WindowSpec) -> list[Problem]:
    """What does not fit the window in force, be it the model's own or all models'."""
    if learn is None or learn.timed >= window.timed:
        return []
    return [(("reference", "learn"), "is a number of rows, but windows are spans of time: write as in 14d")]


def reference_problems(model: Model, path: str, reference: Reference) -> list[Problem]:
    """What the file says otherwise than the rows its reference was compiled from."""
    problems: list[Problem] = []
    outcome, compiled = reference.layout.outcome, kinds(reference)
    again = "compile it again with `monitor init`"
    for key, said, known in (
        (("task",), model.task, outcome.task),
        (("positive",), model.positive, outcome.positive),
        (("performance", "threshold"), model.performance.threshold, outcome.threshold),
    ):
        if said != known:
            text = f"is {said or 'absent'}, but {known or 'absent'} in the reference {path}: correct it, or {again}"
            problems.append((key, text))
    for name, feature in model.features.items():
        if name not in compiled and feature.monitor != "off":
            text = (
                f"is not in the reference {path}: {again} from a table that has it (times, names of rows and free "
                "text are left out), or write monitor: off"
            )
            problems.append((("features", name), text))
        elif name in compiled and compiled[name] != feature.type:
            text = f"is {feature.type}, but {compiled[name]} in the reference {path}: correct it, or {again}"
            problems.append((("features", name, "type"), text))
    able = [name for name, feature in model.features.items() if feature.type == "categorical"]
    segmented = () if reference.segmented is None else tuple(reference.segmented.segments.values)
    for index, name in enumerate(model.segments):
        if name in able and name not in segmented:
            columns = ",".join(dict.fromkeys(each for each in model.segments if each in able))
            text = (
                f"is {name!r}, by which the reference {path} has no segments: compile it again with "
                f"`monitor init ... --segments {columns}`"
            )
            problems.append((("segments", index), text))
    absent = [name for name in compiled if name not in model.features]
    if absent:
        text = (
            f"leaves out {listed(absent)} of the reference {path}: add them, with monitor: off if nobody watches them"
        )
        problems.append((("features",), text))
    return problems
