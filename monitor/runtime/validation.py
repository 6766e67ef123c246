"""`monitor validate`: two models' answers in files, compared; and the table one was trained on, beside live rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from monitor.config import Config, load
from monitor.config.models import DROP, Performance
from monitor.config.problems import listed, near, path, problems_of
from monitor.errors import ConfigError
from monitor.events.batch import Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import unknown
from monitor.profiles.reference import Reference, scoring
from monitor.runtime.frames import read_frame
from monitor.runtime.tables import Table, read_answers, read_labels
from monitor.runtime.training import Training, compare_training
from monitor.runtime.trial import only_model
from monitor.spec import ModelSpec
from monitor.statistics.comparison import Comparison, compare
from monitor.statistics.pairing import Paired, paired
from monitor.statistics.performance import METRICS

_DIFFERING = 0.01
"""Share of the labels that may differ from one table to the other, as corrected ones do."""


@dataclass(frozen=True, slots=True)
class Compared:
    """unlabelled: requests that both answered and that have no label; foreign: labels of pairs that name no class of
    the model.
    """

    comparison: Comparison
    paired: Paired
    unlabelled: int
    foreign: int


@dataclass(frozen=True, slots=True)
class Validated:
    """What the options asked for; None where they did not. passed: the challenger is to be promoted, or, where none was
    given, training and live rows are alike.
    """

    model: str
    compared: Compared | None
    training: Training | None

    @property
    def passed(self) -> bool:
        if self.compared is not None:
            return self.compared.comparison.verdict == "promote"
        return self.training is not None and self.training.alike


@dataclass(frozen=True, slots=True)
class Validation:
    """The options of the command; None where they were left out."""

    config: Path
    model: str | None = None
    champion: Path | None = None
    challenger: Path | None = None
    labels: Path | None = None
    training: Path | None = None
    live: Path | None = None
    metric: str | None = None
    margin: float | None = None

    def run(self) -> Validated:
        """ConfigError where an option or a table is wrong."""
        self._require_pairs()
        loaded = load(self.config)
        name = only_model(loaded, self.model)
        spec = loaded.specs()[name]
        compared = training = None
        if self.champion is not None and self.challenger is not None:
            compared = self._compared(loaded, spec, self.champion, self.challenger)
        if self.training is not None and self.live is not None:
            training = compare_training(spec, self.training, self.live)
        return Validated(name, compared, training)

    def _require_pairs(self) -> None:
        if (self.champion is None) != (self.challenger is None):
            raise ConfigError("a comparison needs both: name --champion and --challenger")
        if (self.training is None) != (self.live is None):
            raise ConfigError("a training table is compared with live rows: name both --training and --live")
        if self.champion is None and self.training is None:
            raise ConfigError("nothing to validate: name --champion and --challenger, or --training and --live")
        if self.champion is None and (self.labels or self.metric or self.margin is not None):
            raise ConfigError("--labels, --metric and --margin are of a comparison: name --champion and --challenger")

    def _compared(self, loaded: Config, spec: ModelSpec, *files: Path) -> Compared:
        metric, drop = self._asked(spec)
        chosen, schema = loaded.models[spec.name], spec.schema
        tables = [read_answers(file, schema, chosen.columns, chosen.timezone) for file in files]
        if self.labels is None:
            given = [table.labels for table in tables[::-1] if table.labels is not None]
        else:
            given = [read_labels(self.labels, replace(schema, features={}), chosen.columns, tables[0], chosen.timezone)]
        if not given:
            raise ConfigError(f"neither {files[0]} nor {files[1]} has a column of labels: name a table with --labels")
        found = paired(tables[0].predictions, tables[1].predictions, given)
        if len(given) > 1:
            _require_one_truth(found, files)
        _require_common(found, files, loaded.models[spec.name].columns.id or "id")
        layout = _layout(spec, loaded.references()[spec.name], found.champion, found.challenger)
        for file, table in zip(files, tables, strict=True):
            _require_answers(metric, layout, file, table)
        foreign = int(np.count_nonzero(unknown(layout, found.champion)))
        if foreign and foreign == len(found.champion):
            raise ConfigError(
                f"none of the {foreign:,} labels names a class of the model ({', '.join(map(repr, layout.classes))}): "
                "write them as the predictions"
            )
        compared = compare(layout, found.champion, found.challenger, metric, drop)
        return Compared(compared, found, found.common - len(found.champion), foreign)

    def _asked(self, spec: ModelSpec) -> tuple[str, float]:
        """The metric, and the difference that matters."""
        metric = self.metric or spec.performance.metric
        possible = [name for name, each in METRICS.items() if spec.schema.task in each.tasks and each.better != "zero"]
        if metric not in possible:
            guess = near(metric, possible)
            raise ConfigError(
                f"--metric {metric!r} does not tell which {spec.schema.task} model is better: "
                + (f"did you mean {guess!r}?" if guess else f"name one of {', '.join(possible)}")
            )
        drop = self.margin
        if drop is None and metric == spec.performance.metric:
            drop = spec.performance.drop
        if drop is None and METRICS[metric].unit == "share":
            drop = DROP
        if drop is None:
            raise ConfigError(f"--margin is missing: say which difference of {metric} matters, in its own unit")
        try:
            Performance(metric=metric, drop=drop)
        except ValidationError as error:
            texts = [text for where, text in problems_of(error, Performance) if path(where) == "drop"]
            raise ConfigError(f"--margin {texts[0]}") from None
        return metric, drop


def _require_one_truth(found: Paired, files: Sequence[Path]) -> None:
    """ConfigError where both tables have labels, and these are not of the same requests."""
    if found.differing > _DIFFERING * len(found.champion):
        raise ConfigError(
            f"{files[0]} and {files[1]} differ in the labels of {found.differing:,} of {len(found.champion):,} ids: "
            "write the same id for the same request in both, which the number of a row is not, or name the truth with "
            "--labels"
        )


def _require_common(found: Paired, files: Sequence[Path], column: str) -> None:
    if found.common:
        return
    examples = " and ".join(f"{file} ids as in {_example(file, column)}" for file in files)
    raise ConfigError(f"no id is in both tables ({examples}): write the same id for the same request in both")


def _example(file: Path, column: str) -> str:
    """The first id, as it is written."""
    frame = read_frame(file)
    values = frame.columns.get(column, frame.columns.get("id", [None]))
    first = values[0]
    return repr(first.as_py() if hasattr(first, "as_py") else first)


def _layout(spec: ModelSpec, references: Mapping[str, Reference], champion: Pairs, challenger: Pairs) -> OutcomeLayout:
    """The classes of the newest reference that knows them, else of these tables."""
    threshold = spec.performance.threshold
    if spec.schema.task != "regression":
        known = [each.layout.outcome for each in references.values() if len(each.layout.outcome.classes) > 1]
        if known:
            return replace(known[-1], threshold=threshold)
    ours, theirs = (scoring(spec.schema, each, each.label, threshold) for each in (champion, challenger))
    return replace(ours, classes=tuple(sorted({*ours.classes, *theirs.classes})))


def _require_answers(metric: str, layout: OutcomeLayout, file: Path, table: Table) -> None:
    """ConfigError where a table has no column of what the metric needs."""
    needs, given = METRICS[metric].needs, table.predictions
    if needs in ("scores", "ranks"):
        classes = [layout.positive] if layout.task == "binary" else list(layout.classes)
        lacking = [str(name) for name in classes if name not in given.scores]
        if lacking:
            of = f" of {listed(lacking)}" if layout.task == "multiclass" else ""
            raise ConfigError(
                f"{file} has no scores{of}, which {metric} needs: map them under columns: score, or name another "
                "--metric"
            )
    elif given.prediction is None and not (layout.threshold is not None and given.scores):
        also = ", or a threshold under performance" if layout.task == "binary" and given.scores else ""
        raise ConfigError(
            f"{file} has no predictions, which {metric} needs: map them under columns: prediction{also}, "
            "or name another --metric"
        )
