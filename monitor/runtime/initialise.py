"""`monitor init`: from one table, a configuration that runs and the compiled reference beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from monitor.config import Columns, model_name
from monitor.config.models import DROP
from monitor.config.problems import listed
from monitor.config.units import duration_text, window_spec, window_text
from monitor.errors import CodecError, ConfigError
from monitor.events.batch import PRESENT, NumericColumn, Pairs
from monitor.events.schema import Task
from monitor.exports.text import counted
from monitor.profiles.reference import Reference
from monitor.profiles.segments import SEGMENTS_MAX, Segmented
from monitor.runtime import cells, tables
from monitor.runtime.frames import Frame, Values, read_frame
from monitor.runtime.roles import Plan
from monitor.runtime.starter import Starter, described, is_unedited, render, sealed
from monitor.runtime.tables import Table
from monitor.spec import HOUR_MS
from monitor.windows.window import WindowSpec

_DROP_SHARE = 0.1  # Of the reference's mean absolute error.
_WINDOWS_H = (1, 6, 24, 168)
_WINDOW_ROWS = 300  # A verdict needs 200 rows with a value; traffic is uneven.


def initialise(
    file: Path,
    model: str,
    task: Task | None,
    columns: Columns,
    out: Path,
    *,
    window: str | None = None,
    segments: Sequence[str] = (),
    force: bool = False,
) -> list[str]:
    """Write OUT/monitor.yaml and OUT/references/MODEL.profile; the sentences say what was assumed.

    columns: the roles that the caller named; a role that is not named has the column of its own name, if any.
    window: as it is written in the configuration; by default the shortest that holds rows enough.
    segments: features by whose values parts of the traffic are to be watched by themselves.
    ConfigError where the table does not do, or a file would be replaced that an earlier call did not write.
    """
    try:
        model_name(model)
    except ValueError as error:
        raise ConfigError(f"--model {error}") from None
    frame = read_frame(file)
    plan = Plan.of(frame, model, task, columns)
    _require_segments(frame, plan, segments)
    table = tables.table_of(frame, plan.schema, plan.columns)
    version = _version(table)
    size, why = _window(table) if window is None else (_named(window, table), "as --window says")
    reference = Reference.build(
        plan.schema,
        table.predictions,
        table.pairs,
        version=version,
        threshold=plan.threshold,
        windows=("ms" if size.timed else "rows", size.size),
    ).with_segments(table.predictions, segments)
    profile = f"references/{_file_name(model, version)}.profile"
    body = render(
        Starter(
            name=model,
            task=plan.schema.task,
            positive=plan.schema.positive,
            reference=(profile, reference.digest),
            features=plan.features,
            columns=plan.columns,
            window=(window_text(size), why),
            metric=plan.metric,
            drop=_drop(table) if plan.schema.task == "regression" else DROP,
            threshold=plan.threshold,
            segments=segments,
            source=f"{file.name}, {len(table.predictions)} rows",
        )
    )
    replaced = described(out / "monitor.yaml")
    _write(out, profile, reference, sealed(body), force=force)
    return [
        *plan.said,
        *_remarks(plan, frame, table),
        *_segments(reference.segmented),
        f"windows of {window_text(size)}: {why}",
        f"wrote {out / 'monitor.yaml'} and {out / profile}",
        *(f"it described model {name!r} before: --out DIR keeps both" for name in replaced if name != model),
        "next: `monitor plan` says what will be found, `monitor check` tries broker and receivers",
    ]


def _require_segments(frame: Frame, plan: Plan, segments: Sequence[str]) -> None:
    """Categorical features that are watched, each once."""
    kinds = {name: found.kind for name, found in plan.features.items() if not found.why}
    able = listed(name for name, kind in kinds.items() if kind == "categorical") or "none"
    problems = [
        f"--segments names {name!r}, which is no categorical feature of {frame.path} that is watched: those are {able}"
        for name in segments
        if kinds.get(name) != "categorical"
    ]
    if len(set(segments)) < len(segments):
        problems.append("--segments names a column twice: name each once")
    if 2 * len(segments) > SEGMENTS_MAX:
        problems.append(f"--segments names {len(segments)} columns: {SEGMENTS_MAX // 2} are the most")
    if problems:
        raise ConfigError(*problems)


def _segments(segmented: Segmented | None) -> Iterator[str]:
    if segmented is not None:
        for column, values in segmented.segments.values.items():
            own = "one of its values has" if len(values) == 1 else f"{len(values)} of its values each have"
            yield f"segments of {column}: {own} one, all others one together"


def _version(table: Table) -> str:
    """The one version of a table; empty, which fits any, where it has none or several."""
    column = table.predictions.version
    used = np.unique(column.codes)
    return column.values[int(used[0])] if len(used) == 1 else ""


def _named(window: str, table: Table) -> WindowSpec:
    """ConfigError where it is no window, or one that the table's rows cannot be put into."""
    try:
        named = window_spec(window)
    except ValueError as error:
        raise ConfigError(f"--window {window!r} {error}") from None
    if named.timed == table.by_row:
        other = "has no times: name rows, as in '500 rows'" if named.timed else "has times: name a duration, as in 1h"
        raise ConfigError(f"--window {window!r} does not fit the table, which {other}")
    return named


def _window(table: Table) -> tuple[WindowSpec, str]:
    """The window, and why it is this one."""
    if table.by_row:
        return WindowSpec(500, "rows"), "the table has no times, and a verdict needs some 200 rows"
    time_ms = table.predictions.time_ms
    hourly = len(time_ms) / max(1.0, float(time_ms.max() - time_ms.min()) / HOUR_MS)
    hours = next((hours for hours in _WINDOWS_H if hourly * hours >= _WINDOW_ROWS), _WINDOWS_H[-1])
    held = f"at the table's pace it holds about {hourly * hours:,.0f} rows"
    if hourly * hours < _WINDOW_ROWS:
        return WindowSpec(hours * HOUR_MS), f"{held}; {_WINDOW_ROWS} would be better, but windows are no longer"
    lengths = listed(duration_text(hours * HOUR_MS) for hours in _WINDOWS_H)
    return WindowSpec(hours * HOUR_MS), f"{held}, and is the shortest of {lengths} to hold {_WINDOW_ROWS}"


def _drop(table: Table) -> float:
    """A tenth of the mean absolute error; without labels, a tenth of the predictions' standard deviation."""
    pairs = table.pairs
    error = _mean_error(pairs) if pairs is not None else 0.0
    prediction = table.predictions.prediction
    if error == 0.0 and isinstance(prediction, NumericColumn):
        error = float(np.std(prediction.values[prediction.state == PRESENT]))
    return float(f"{_DROP_SHARE * error:.2g}") or _DROP_SHARE


def _mean_error(pairs: Pairs) -> float:
    prediction, label = pairs.prediction, pairs.label
    if not isinstance(prediction, NumericColumn) or not isinstance(label, NumericColumn):
        return 0.0
    both = prediction.state == PRESENT
    return float(np.abs(prediction.values - label.values)[both].mean()) if both.any() else 0.0


def _remarks(plan: Plan, frame: Frame, table: Table) -> Iterator[str]:
    for name in frame.left_out:
        yield f"left out another column named {name!r}" if name else "left out a column without a name"
    for note, names in _alike((name, inferred.note) for name, inferred in plan.features.items() if not inferred.why):
        yield f"{'column' if len(names) == 1 else 'columns'} {listed(map(repr, names))}: {note}"
    for why, names in _alike((name, inferred.why) for name, inferred in plan.features.items()):
        yield f"switched off {listed(names)}: {why}"
    yield f"watches {counted(len(plan.schema.features), 'feature')}"
    if table.by_row:
        like = [name for name, inferred in plan.features.items() if inferred.why == "holds times"]
        which = f" ({listed(like)} may be it)" if like else ""
        yield f"the table has no timestamps, so windows are by number of rows: name the column with --timestamp{which}"
    elif _is_naive(frame.columns[str(plan.columns.timestamp or "timestamp")]):
        yield "took times without an offset as UTC: write the model's timezone if they are not"
    if table.labels is None or not len(table.labels):
        yield "the reference has no labels, so performance has nothing to be compared with: name them with --label"
    elif table.predictions.prediction is None and not table.predictions.scores:
        yield (
            "the reference has no predictions, so performance has nothing to be compared with: name them with "
            "--prediction or --score"
        )
    if plan.threshold is not None:
        yield f"took scores of {plan.threshold:g} or more as {plan.schema.positive!r}, as there are no predictions"
    if len(np.unique(table.predictions.version.codes)) > 1:
        yield "the table has several versions, so the reference is of any version"


def _alike(said: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """What is said of columns, and of which; nothing of those of which nothing is."""
    names: dict[str, list[str]] = {}
    for name, text in said:
        names.setdefault(text, []).append(name)
    return ((text, mine) for text, mine in names.items() if text)


def _is_naive(values: Values) -> bool:
    some = values[:1000]
    return bool((cells.times(some, "Etc/GMT") != cells.times(some, "Etc/GMT+5")).any())


def _file_name(model: str, version: str) -> str:
    name = f"{model}-{version}" if version else model
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:100] or "model"


def _write(out: Path, profile: str, reference: Reference, text: str, *, force: bool) -> None:
    config, compiled = out / "monitor.yaml", out / profile
    data = reference.dump()
    try:
        if not force:
            _refuse_to_replace(config, compiled, data)
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_bytes(data)
        config.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{error.filename or out} cannot be written ({error.strerror}): name another --out") from None


def _refuse_to_replace(config: Path, compiled: Path, data: bytes) -> None:
    """ConfigError where a file stands in the way that an earlier call did not write, or that was edited since."""
    earlier = config.read_text(encoding="utf-8", errors="replace") if config.exists() else ""
    if earlier and not is_unedited(earlier):
        raise ConfigError(f"{config} was edited or written by hand: use --force to replace it, or --out elsewhere")
    if compiled.exists() and (known := compiled.read_bytes()) != data:
        try:
            ours = Reference.load(known).digest in earlier
        except CodecError:
            ours = False
        if not ours:
            raise ConfigError(
                f"{compiled} exists and is not of {config}: use --force to replace it, or --out elsewhere"
            )


def score_columns(options: list[str]) -> str | dict[str, str] | None:
    """What --score says: one column, or one a class. ConfigError where it is neither."""
    if len(options) <= 1 and not any("=" in option for option in options):
        return options[0] if options else None
    pairs = [option.partition("=")[::2] for option in options]
    if any(not name or not column for name, column in pairs):
        raise ConfigError("--score takes one column, or CLASS=COLUMN for each class of a multiclass model")
    return dict(pairs)
