"""What models will take: bytes of state and Prometheus series, measured on one window of each version's own layout."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monitor.config import Config
from monitor.engine import Monitor
from monitor.engine.kept import Kept
from monitor.engine.latency import Latencies
from monitor.engine.learning import Lesson
from monitor.engine.memory import Memory
from monitor.engine.pane import Pane
from monitor.engine.references import Standard
from monitor.events.batch import SCORE, CategoricalColumn, Column, NumericColumn, Origin, Predictions
from monitor.exports import metrics
from monitor.exports.budget import Budget
from monitor.exports.series import EVENT_RESULTS, FeatureGroup
from monitor.profiles import codec
from monitor.profiles.reference import Reference
from monitor.runtime.store import Store
from monitor.runtime.store.kept import bodies, shared
from monitor.snapshot import ModelView, PerformanceView, ServiceView, Snapshot
from monitor.spec import HOUR_MS, ModelSpec
from monitor.statistics.performance import METRICS
from monitor.statistics.reading import Reading
from monitor.windows.streams import FOREVER, NEVER
from monitor.windows.window import WindowSpec

_PENDING = 200_000  # Predictions that the size of a million is worked out from.
_MILLION = 1_000_000
_ANY_NUMBER = 1 << 30
_OF_A_MODEL = frozenset(metric.name for metric in metrics.METRICS if metric.labels[:1] == ("model",))


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of one version: an open window; what is kept of a closed one, its counts and its sample of rows; the same
    of the reference, once; what detection remembers; rows that a new normal is made of, at most; the windows that it
    learns from, while it does; a million predictions that wait for their label, None where none do.
    """

    open_window: int
    kept_counts: int
    kept_rows: int
    basis_counts: int
    basis_rows: int
    detection: int
    remembered: int
    learning: int
    pending_million: int | None


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """Prometheus series, were there no budget: in all and of each model. left_out: by model, features of versions and
    segments that do not fit the budget.
    """

    total: int
    by_model: Mapping[str, int]
    left_out: Mapping[str, int]


class Rehearsal:
    """One closed window of every version, whose rows are the reference's own."""

    def __init__(self, specs: Mapping[str, ModelSpec], references: Mapping[str, Mapping[str, Reference]]) -> None:
        self._memories = {name: Memory(spec) for name, spec in specs.items()}
        # Windows by rows would wait for more of them; sizes and series are the same.
        timed = [spec if spec.window.timed else replace(spec, window=WindowSpec(HOUR_MS)) for spec in specs.values()]
        self._monitor = Monitor(timed, references)
        for model in self._monitor.models.values():
            for version, standard in model.references.items():
                model.panes[model.spec.window.size, version] = _pane(version, standard)
            model.finish()

    def footprint(self, model: str, version: str) -> Footprint:
        engine = self._monitor.models[model]
        spec, standard = engine.spec, engine.references[version]
        reference, pane = standard.reference, _pane(version, standard)
        tally = pane.tally(reference.cells)
        pairs = standard.watch.pairs.together.of_sample(pane.profile.sample)
        (closed,) = Kept.of(next(iter(engine.windows.values())).window, pane, standard)
        kept = {part: len(body) for part, body in bodies(closed).items()}
        lesson = _size(Lesson(reference.digest, tally, pairs, 0, np.zeros(len(tally) + len(pairs), dtype=np.bool_)))
        lessons = 0
        if not standard.watch.complete:
            lessons = -(-spec.alarms.learning_ms // spec.part)
        return Footprint(
            len(pane.dump()),
            kept["counts"],
            kept["rows"],
            len(shared(standard.basis, "counts")),
            len(shared(standard.basis, "rows")),
            _size(engine.watching.states.get(version)),
            self._remembered(model, version),
            lesson * lessons,
            _pending_million(reference) if spec.labelled else None,
        )

    def _remembered(self, model: str, version: str) -> int:
        """Of every window that is kept as many rows as can be, each as long as those of the window that closed."""
        memory, rehearsed = self._memories[model], self._monitor.models[model].maker.memory
        kept = [rehearsed.kept[version, start].sample for start in rehearsed.starts(version, NEVER, FOREVER)]
        rows = sum(len(sample.order) for sample in kept)
        size = sum(_size(sample.plain()) for sample in kept)
        return round(size / max(rows, 1) * memory.rows * memory.parts)

    def series(self, config: Config) -> SeriesPlan:
        """With one partition a topic, and a window of every version that has a reference."""
        whole = Budget(_ANY_NUMBER).of(self.snapshot(config))
        shown = {
            group.labels for group in Budget(config.server.series_budget).of(self.snapshot(config)).standing.groups
        }
        by_model = dict.fromkeys(self._monitor.models, 0)
        total = 0
        for series in whole.series:
            total += 1
            if series.metric in _OF_A_MODEL:
                by_model[series.labels[0]] += 1
        left_out = Counter(
            group.labels[0]
            for group in whole.standing.groups
            if isinstance(group, FeatureGroup) and group.labels not in shown
        )
        return SeriesPlan(total, by_model, left_out)

    def snapshot(self, config: Config) -> Snapshot:
        """What would be shown, with what labels and latencies will bring."""
        views = {name: _with_everything(view) for name, view in self._monitor.views().items()}
        topics = {config.kafka.topics.predictions, config.kafka.topics.labels}
        service = ServiceView(
            events={(topic, EVENT_RESULTS[0]): 0 for topic in topics},
            lag={(topic, 0): 0 for topic in topics},
            outbox_pending=dict.fromkeys(config.file.webhooks, 0),
            committed_ms=0,
            poll_returned_ms=0,
        )
        return Snapshot(0, views, service)


def _pane(version: str, standard: Standard) -> Pane:
    """A window of the reference's own rows."""
    pane = Pane.empty(version, standard)
    pane.profile = standard.reference.profile
    if standard.segmented is not None and pane.segments is not None:
        pane.segments = standard.segmented.total.reshape(pane.segments.shape)
    return pane


def _size(value: object) -> int:
    return len(codec.pack("STAT", 0, value))


def _with_everything(view: ModelView) -> ModelView:
    """With the figures of every metric of its task, as labels will bring, and the latency that events may carry."""
    shown = []
    for window in view.windows:
        readings = tuple(
            Reading(window.window, "", name, 0, "ok", 0.0, 0.0, 0.0)
            for name, metric in METRICS.items()
            if view.task in metric.tasks
        )
        shown.append(PerformanceView(window.window, window.window.start_ms, 0, 1.0, readings, settled=True))
    latency_s = Latencies().durations.histogram()
    return replace(view, performance=tuple(shown), last_event_ms=0, watermark_ms=0, latency_s=latency_s)


def _pending_million(reference: Reference) -> int:
    """Bytes on disk of a million predictions in a store of their own."""
    with tempfile.TemporaryDirectory() as place:
        with Store.open(Path(place)) as store:
            empty = _bytes(place)
            with store.transaction():
                store.add_predictions(_waiting(reference), np.full(_PENDING, HOUR_MS))
        return (_bytes(place) - empty) * (_MILLION // _PENDING)


def _bytes(place: str) -> int:
    return sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())


def _waiting(reference: Reference) -> Predictions:
    """Rows with random ids and scores: nothing of them can be stored shorter than it will be."""
    random = np.random.default_rng(0)
    zeros = np.zeros(_PENDING, dtype=np.int32)
    outcome = reference.layout.outcome
    prediction: Column = NumericColumn.of(random.random(_PENDING))
    if outcome.classes:
        prediction = CategoricalColumn(random.integers(0, len(outcome.classes), _PENDING, np.int32), outcome.classes)
    scored = [] if SCORE not in reference.layout.features else [outcome.positive or ""]
    if scored and outcome.task == "multiclass":
        scored = list(outcome.classes)
    return Predictions(
        "plan",
        Origin("predictions", zeros, np.arange(_PENDING), zeros),
        np.sort(random.integers(0, HOUR_MS, _PENDING)),
        np.full(_PENDING, -1),
        random.integers(0, 1 << 63, _PENDING, np.uint64),
        np.ones(_PENDING, dtype=np.bool_),
        CategoricalColumn(zeros, (reference.version or "1",)),
        {},
        prediction,
        {name: NumericColumn.of(random.random(_PENDING)) for name in scored},
    )
