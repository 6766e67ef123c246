"""What a log means, worked out from its bytes one event at a time, in plain Python: the rules as the design states
them, sharing no code with the engine. Where partitions are idle, the control events of the run say what it needs.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import xxhash
from scipy import optimize, special

from monitor.spec import DAY_MS, ModelSpec
from tests.simulation.traffic import PREDICTIONS, Log

NEVER = -(1 << 62)
COVERAGE = 0.8


class Prediction(NamedTuple):
    version: str
    identity: str | None
    time: int
    pane: int
    place: tuple[int, int, int]
    decision: str | None
    event: dict[str, Any]


class Label(NamedTuple):
    identity: str
    time: int
    digest: int
    value: str
    known: int
    partition: int


class Span(NamedTuple):
    """One closed window: [start, end) of a version."""

    end: int
    version: str
    start: int


class Figure(NamedTuple):
    """One reading of a window's accuracy, over its span. evidence: of its loss nearest to the limit, at its verdict."""

    window: Span
    labels: int
    coverage: float
    enough: bool
    accuracy: float | None
    settled: bool
    evidence: tuple[float, str] | None = None


@dataclass
class Meaning:
    """Everything that follows from a log for one model."""

    results: Counter[str] = field(default_factory=Counter)
    members: dict[Span, list[Prediction]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    delays: list[int] = field(default_factory=list)
    latencies: list[object] = field(default_factory=list)

    @property
    def rows(self) -> dict[Span, int]:
        return {window: len(members) for window, members in self.members.items()}


class Evidence:
    """The sequential tests of `fraud`: bets on each of its losses against five alternatives, a window at a time, in the
    order of verdicts, and on its accuracy; windows before one that has been judged are passed over, as is a version
    without a reference.
    """

    def __init__(self, spec: ModelSpec, events: list[Any], labels: list[Any]) -> None:
        pairs = zip(events, labels, strict=True)
        good = losses_of([(event["prediction"], event["score"], label["label"]) for event, label in pairs])
        self.bearable = {name: bearable(rows) for name, rows in good.items()}
        self.rules, self.accuracy_min = spec.performance, least_accuracy(good["error_rate"], spec.performance.drop)
        self.unused: dict[str, list[tuple[float, str]]] = {}
        self.calm: Counter[tuple[str, str]] = Counter()
        self.windows = 730.5 * 3_600_000 / spec.window.size if spec.window.unit == "ms" else 730.5
        self.newest: dict[str, int] = {}
        self.wealth: dict[tuple[str, str], list[float]] = {}
        self.risen: set[tuple[str, str]] = set()
        self.alone: dict[tuple[str, str], float] = {}
        self.before: dict[tuple[str, str], float] = {}
        self.said: dict[Span, tuple[float, str]] = {}

    def judge(
        self,
        window: Span,
        rows: list[tuple[str | None, float, str]],
        span: list[tuple[str | None, float, str]],
        enough: bool,
    ) -> None:
        if window.version == "2" or window.end <= self.newest.get(window.version, NEVER):
            return
        self.newest[window.version] = window.end
        # A fifth of a tenth of an alarm a month, for four losses of each version and its metric.
        limit = self.windows / (0.1 / 5 / 5 / len(self.newest))
        found = [(self._fallen(window.version, rows, span if enough else [], 2 * limit), "accuracy")]
        for name, mine in losses_of(rows).items():
            key, p = (window.version, name), self.bearable[name]
            wealth = self.wealth.setdefault(key, [0.0] * 5)
            for place, step in enumerate((0.15, 0.3, 0.6, 1.2, 2.4)):
                odds = p / (1 - p) * math.exp(step)
                q = odds / (1 + odds)
                won = math.prod((q / p) ** loss * ((1 - q) / (1 - p)) ** (1 - loss) for loss in mine)
                wealth[place] = min((wealth[place] + 1) * won, 1000 * limit) if mine else wealth[place]
            found.append((self._held(key, limit) if mine else sum(wealth) / 5 / limit, name))
        self.said[window] = max(found)

    def _held(self, key: tuple[str, str], limit: float) -> float:
        """Evidence over its limit, at which it is held after an alarm until four windows have left it at 1 %."""
        wealth = self.wealth[key]
        ratio = sum(wealth) / len(wealth) / limit
        if ratio >= 1:
            self.risen.add(key)
        if key in self.risen:
            self.wealth[key] = [min(each, limit) for each in wealth]
            self.calm[key] = self.calm[key] + 1 if ratio <= 0.01 else 0
            if self.calm[key] == 4:
                self.risen.discard(key)
                self.wealth[key], self.calm[key] = [0.0] * len(wealth), 0
        return ratio

    def _fallen(self, version: str, rows: list[Any], span: list[Any], limit: float) -> float:
        """The same of the accuracy: of each span by itself, and of every label once where those not used are enough."""
        key = (version, "accuracy")
        ratio = self.before.get(key, 0.0)
        if span:
            by_itself = min(1 / max(self._p(span), 1e-300), 1000 * limit) / limit
            self.before[key] = ratio = max(self.alone.get(key, 0.0), by_itself)
            if ratio >= 1:
                self.risen.add(key)
                self.wealth[key], self.calm[key], self.alone[key] = [limit] * 4, 0, 1.0
        unused = self.unused[version] = [*self.unused.get(version, []), *rows]
        positive = sum(label == "fraud" for *_, label in unused)
        least = min(positive, len(unused) - positive)
        if rows and len(unused) >= max(30, self.rules.labels_min) and least >= self.rules.class_min:
            z = -special.ndtri(min(max(self._p(unused), 1e-300), 1 - 1e-16))
            before = self.wealth.get(key, [0.0] * 4)
            self.wealth[key] = [
                min((wealth + 1) * min(math.exp(s * z - s * s / 2), limit**0.5), 1000 * limit)
                for s, wealth in zip((0.5, 1, 2, 4), before, strict=True)
            ]
            self.alone[key] = self._held(key, limit)
            self.before[key] = ratio = max(ratio, self.alone[key])
            self.unused[version] = []
        return ratio

    def _p(self, rows: list[Any]) -> float:
        """Of an accuracy of no less than may be, by the likelihood ratio of as many rows as Wilson's interval tells."""
        right, least = 1 - sum(losses_of(rows)["error_rate"]) / len(rows), self.accuracy_min
        distance = math.sqrt(2 * len(rows) * sum(special.rel_entr([right, 1 - right], [least, 1 - least])))
        return float(special.stdtr(len(rows) - 1, math.copysign(distance, right - least)))


def losses_of(rows: list[tuple[str | None, float, str]]) -> dict[str, list[float]]:
    """What each row (decision, score, label) lost; squares in steps of 2**-20."""
    return {
        "error_rate": [float(decision != label) for decision, _, label in rows],
        "false_negative_rate": [float(decision != label) for decision, _, label in rows if label == "fraud"],
        "false_positive_rate": [float(decision != label) for decision, _, label in rows if label != "fraud"],
        "brier": [round((score - (label == "fraud")) ** 2 * 2**20) / 2**20 for _, score, label in rows],
    }


def bearable(rows: list[float]) -> float:
    """A twentieth above the mean, or as far as the rows leave it in doubt: where n KL(mean, p) = ln 100."""
    mean = sum(rows) / len(rows)

    def doubt(p: float) -> float:
        return len(rows) * sum(special.rel_entr([mean, 1 - mean], [p, 1 - p])) - math.log(100)

    return max(1.05 * mean, optimize.brentq(doubt, mean, 1 - 1e-12, xtol=1e-15))


def least_accuracy(errors: list[float], drop: float) -> float:
    """What the reference had less `drop`, or the limit of what its rows leave in doubt, 3.72 standard errors."""
    right, rows = 1 - sum(errors) / len(errors), len(errors)

    def doubt(p: float) -> float:
        return math.sqrt(2 * rows * sum(special.rel_entr([right, 1 - right], [p, 1 - p]))) - 3.72

    return min(right - drop, optimize.brentq(doubt, 1e-12, right, xtol=1e-15))


@dataclass
class Clocked:
    """What the clock decided for one model. floors: (offset, floor) by topic and partition; quarantined: rows as
    (topic, partition, offset, row); closed, joint: the watermarks that it left.
    """

    floors: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)
    quarantined: set[tuple[str, int, int, int]] = field(default_factory=set)
    closed: int = NEVER
    joint: int = NEVER

    def floor(self, topic: str, partition: int, offset: int) -> int:
        known = self.floors.get((topic, partition), ())
        return max((floor for first, floor in known if first <= offset), default=NEVER)


def events(value: bytes | None) -> list[Any]:
    """The events of one record; None for one that is broken."""
    try:
        payload = json.loads(value or b"")
    except ValueError:
        return [None]
    if isinstance(payload, dict) and "columns" in payload:
        columns = payload.pop("columns")
        kind = payload.pop("type").removesuffix("s")
        rows = zip(*columns.values(), strict=True)
        return [payload | {"type": kind} | dict(zip(columns, row, strict=True)) for row in rows]
    return payload if isinstance(payload, list) else [payload]


def usable(event: Any, limit_ms: int) -> bool:
    known = isinstance(event, dict) and event.get("type") in ("prediction", "label", "batch_end")
    if not known or event.get("model") not in ("fraud", "churn"):
        return False
    return event["type"] == "batch_end" or (event.get("timestamp") is not None and event["timestamp"] <= limit_ms)


def rejected(log: Log, topic: str, now_ms: int, future_ms: int) -> int:
    records = [record for place, records in log.items() if place[0] == topic for record in records]
    return sum(not usable(event, now_ms + future_ms) for record in records for event in events(record.value))


def meaning(
    log: Log,
    spec: ModelSpec,
    now_ms: int,
    clocked: Clocked | None = None,
    good: tuple[list[Any], list[Any]] | None = None,
) -> Meaning:
    """now_ms: of a clock that stood still; `clocked` where it moved. good: the events and labels of the reference."""
    found = Meaning()
    limit = now_ms + spec.future_ms if clocked is None else 1 << 62
    clock = clocked or Clocked()
    accepted: list[Prediction] = []
    predicted: list[int] = []
    labels: list[Label] = []
    labelled: list[int] = []
    for (topic, partition), records in log.items():
        parsed = [
            [
                each
                for row, each in enumerate(events(record.value))
                if usable(each, limit)
                and each["model"] == spec.name
                and (topic, partition, offset, row) not in clock.quarantined
            ]
            for offset, record in enumerate(records)
        ]
        floors = [clock.floor(topic, partition, offset) for offset in range(len(records))]
        if topic == PREDICTIONS:
            predicted.append(_take_predictions(partition, parsed, floors, spec, accepted, found.results))
        elif spec.labelled:
            labelled.append(_take_labels(partition, parsed, floors, labels, found.results) - spec.lateness_ms)
    closed = min(predicted) if clocked is None else clocked.closed
    joint = min([closed, *labelled]) if clocked is None else clocked.joint
    found.members = _windows(accepted, closed, spec)
    found.latencies = [said for each in accepted if (said := each.event.get("latency_ms")) is not None]
    if spec.labelled:
        evidence = Evidence(spec, *good) if good else None
        _settle(found.members, accepted, labels, joint, spec, found, evidence)
    return found


def _take_predictions(
    partition: int,
    records: list[list[Any]],
    floors: list[int],
    spec: ModelSpec,
    accepted: list[Prediction],
    results: Counter[str],
) -> int:
    """Judge a partition record by record; its last watermark."""
    grid, high, floor = spec.window.grid_ms, NEVER, NEVER
    taken: dict[tuple[str, str], int] = {}
    for offset, record in enumerate(records):
        floor = max(floor, floors[offset])
        watermark = floor if spec.arrival == "batch" else max(high - spec.lateness_ms, floor)
        for row, event in enumerate(record):
            if event["type"] == "batch_end":
                results["accepted"] += 1
                if high != NEVER:
                    floor = max(floor, (high // grid + 1) * grid)
                continue
            time, identity, version = event["timestamp"], event.get("id"), event.get("version", "")
            pane = (time // grid + 1) * grid
            high = max(high, time)
            if pane <= watermark:
                results["late"] += 1
            elif identity is not None and taken.get((version, identity), NEVER) > watermark:
                results["duplicate"] += 1
            else:
                results["accepted"] += 1
                place = (partition, offset, row)
                accepted.append(Prediction(version, identity, time, pane, place, event.get("prediction"), event))
                if identity is not None:
                    taken[version, identity] = pane
    return floor if spec.arrival == "batch" else max(high - spec.lateness_ms, floor)


def _take_labels(
    partition: int, records: list[list[Any]], floors: list[int], labels: list[Label], results: Counter[str]
) -> int:
    """When each label of a partition is known; the partition's largest time."""
    high = NEVER
    for record, floor in zip(records, floors, strict=True):
        before = max(high, floor)
        for event in record:
            time, value = event["timestamp"], event["label"]
            digest = xxhash.xxh3_64_intdigest(value.encode())
            labels.append(Label(event["id"], time, digest, value, max(time, before), partition))
            high = max(high, time)
            results["labels"] += 1
    return high


def _windows(accepted: list[Prediction], closed: int, spec: ModelSpec) -> dict[Span, list[Prediction]]:
    """The closed windows and their predictions; by row count, the fewest whole panes that hold enough."""
    panes: dict[tuple[int, str], list[Prediction]] = {}
    for each in accepted:
        panes.setdefault((each.pane, each.version), []).append(each)
    windows: dict[Span, list[Prediction]] = {}
    filling: dict[str, tuple[int, list[Prediction]]] = {}
    for (end, version), rows in sorted(panes.items()):
        if end > closed:
            continue
        start, before = filling.pop(version, (end - spec.window.grid_ms, []))
        if spec.window.unit == "rows" and len(before) + len(rows) < spec.window.size:
            filling[version] = (start, before + rows)
        else:
            windows[Span(end, version, start)] = before + rows
    return windows


def _settle(
    members: dict[Span, list[Prediction]],
    accepted: list[Prediction],
    labels: list[Label],
    joint: int,
    spec: ModelSpec,
    found: Meaning,
    evidence: Evidence | None,
) -> None:
    """Every boundary from the first on, each from all labels that were known before it."""
    grid, wait = spec.window.grid_ms, spec.performance.wait_ms
    first: dict[tuple[str, str], Prediction] = {}
    for each in sorted(accepted, key=lambda each: (each.pane, each.place)):
        if each.identity is not None:
            first.setdefault((each.version, each.identity), each)
    by_id: dict[str, list[Label]] = {}
    for label in labels:
        by_id.setdefault(label.identity, []).append(label)
    candidates = {
        window: [
            (each, label)
            for each in rows
            if each.identity is not None and first[each.version, each.identity] is each
            for label in by_id.get(each.identity, ())
            if label.known <= window.end + wait
        ]
        for window, rows in members.items()
    }
    settled: set[Span] = set()
    before: dict[Span, dict[str, Label]] = {window: {} for window in members}
    read: dict[Span, set[Span]] = {}
    for boundary in range(min(window.end for window in members), joint + 1, grid):
        closed = sorted(window for window in members if window.end <= boundary)
        current = {window: _latest(candidates[window], boundary) for window in members}
        spans = {window: _span(window, members, current, spec) for window in closed}
        figures = {window: _figure(window, spans[window], members, current, first, spec) for window in closed}
        changed = {window for window in closed if current[window] != before[window]}
        for window in closed:
            deadline = -(-(window.end + wait) // grid) * grid
            own = len(current[window]) / len(members[window])
            ready = boundary >= deadline or (own >= COVERAGE and figures[window].enough)
            verdict = window not in settled and ready
            if verdict:
                settled.add(window)
                if evidence:
                    own, whole = (_labelled(part, current, first) for part in ([window], spans[window]))
                    evidence.judge(window, own, whole, figures[window].enough)
            # A reading is of its span's labels: one that has changed since then makes it stale.
            stale = changed & ({*spans[window]} | read.get(window, set()))
            if verdict or window.end == boundary or stale:
                known = evidence.said.get(window) if evidence else None
                found.figures.append(figures[window]._replace(settled=window in settled, evidence=known))
                read[window] = {*spans[window]}
            found.delays += [
                max(0, label.time - first[window.version, identity].time)
                for identity, label in current[window].items()
                if identity not in before[window]
            ]
        before |= {window: current[window] for window in closed}
    last = joint // grid * grid
    waiting, expired = _waiting(accepted, by_id, last, spec)
    found.labels = {
        "matched": sum(map(len, before.values())),
        "waiting": waiting,
        "expired": expired,
        "conflict": sum(_conflicts(pairs, last) for pairs in candidates.values()),
        "unknown": 0,
    }


def _labelled(
    windows: list[Span], current: dict[Span, dict[str, Label]], first: dict[tuple[str, str], Prediction]
) -> list[tuple[str | None, float, str]]:
    """Decision, score and label of every labelled row."""
    pairs = [(first[each.version, key], label.value) for each in windows for key, label in current[each].items()]
    return [(each.decision, each.event.get("score", 0.0), value) for each, value in pairs]


def _waiting(accepted: list[Prediction], by_id: dict[str, list[Label]], last: int, spec: ModelSpec) -> tuple[int, int]:
    """Labels known before the last boundary that were there before their prediction, and those that were given up."""
    grid, retention = spec.window.grid_ms, spec.retention_ms
    panes: dict[str | None, list[int]] = {}
    for each in accepted:
        panes.setdefault(each.identity, []).append(each.pane)
    waiting = expired = 0
    for label in (label for labels in by_id.values() for label in labels):
        counts_from = (label.known // grid + 1) * grid
        if counts_from > last:
            continue
        oldest = counts_from - max(retention, spec.performance.wait_ms)
        mine = [end for end in panes.get(label.identity, ()) if oldest <= end <= label.known + retention]
        if not any(end <= counts_from for end in mine):
            waiting += 1
            day_ends = ((counts_from - 1) // DAY_MS + 1) * DAY_MS
            expired += not any(end <= last for end in mine) and day_ends + retention <= last
    return waiting, expired


def _latest(pairs: list[tuple[Prediction, Label]], boundary: int) -> dict[str, Label]:
    """The label of each id as of a boundary."""
    latest: dict[str, Label] = {}
    for prediction, label in pairs:
        key = prediction.identity
        assert key is not None
        if label.known < boundary and (key not in latest or label[1:3] > latest[key][1:3]):
            latest[key] = label
    return {key: label._replace(known=0, partition=0) for key, label in latest.items()}


def _span(
    window: Span, members: dict[Span, list[Prediction]], current: dict[Span, dict[str, Label]], spec: ModelSpec
) -> list[Span]:
    """The fewest windows up to this one that hold enough labels; where all of them hold too few, it alone."""
    rules = spec.performance
    earlier = sorted(
        (
            each
            for each in members
            if each.version == window.version
            and each.end <= window.start
            and each.start >= window.end - rules.span_max_ms
        ),
        reverse=True,
    )
    span = [window]
    while not (enough := _enough([current[each] for each in span], spec)) and earlier:
        span.append(earlier.pop(0))
    return span if enough else [window]


def _figure(
    window: Span,
    span: list[Span],
    members: dict[Span, list[Prediction]],
    current: dict[Span, dict[str, Label]],
    first: dict[tuple[str, str], Prediction],
    spec: ModelSpec,
) -> Figure:
    """Accuracy over a span."""
    pairs = [
        (first[each.version, identity].decision, label.value)
        for each in span
        for identity, label in current[each].items()
    ]
    right = sum(decision == value for decision, value in pairs)
    enough = _enough([current[each] for each in span], spec)
    accuracy = right / len(pairs) if enough else None
    coverage = len(pairs) / sum(len(members[each]) for each in span)
    return Figure(window, len(pairs), coverage, enough, accuracy, False)


def _enough(parts: list[dict[str, Label]], spec: ModelSpec) -> bool:
    values = Counter(label.value for part in parts for label in part.values())
    if values.total() < spec.performance.labels_min:
        return False
    return min(values["ok"], values["fraud"]) >= spec.performance.class_min


def _conflicts(pairs: list[tuple[Prediction, Label]], until: int) -> int:
    """Ids of which partitions said different things."""
    said: dict[str | None, list[Label]] = {}
    for prediction, label in pairs:
        if label.known < until:
            said.setdefault(prediction.identity, []).append(label)
    return sum(
        len({label.partition for label in group}) > 1 and len({label.digest for label in group}) > 1
        for group in said.values()
    )
