"""Snapshots built by hand: one of everything the exports show, and parts to make others of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from monitor.detection.life import Life
from monitor.detection.records import (
    Aspect,
    Differing,
    Incident,
    Moved,
    PerformanceEvidence,
    Skew,
    State,
    Trigger,
    Verdict,
)
from monitor.detection.sensitivity import Detectable
from monitor.snapshot import (
    DeliveryView,
    Histogram,
    ModelView,
    PerformanceView,
    ServiceView,
    Snapshot,
    Target,
    WatchView,
    WindowView,
)
from monitor.spec import AlarmSpec
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

HOUR_MS = 3_600_000
TEN_MS = 1_795_428_000_000
"""2026-11-23T10:00:00Z."""

HOSTILE = "</script><img src=x onerror=alert(1)>\"'\n\\{}"
"""Breaks out of whatever does not escape it."""

NO_DELAYS = Histogram(((1.0, 0), (3_600.0, 0), (7_776_000.0, 0)), 0, 0.0)


def window(hour: int = 0, *, model: str = "fraud", version: str = "3", segment: str = "") -> Window:
    """The window that starts `hour` hours after ten."""
    start_ms = TEN_MS + hour * HOUR_MS
    return Window(start_ms + HOUR_MS, model, version, segment, start_ms)


def verdict(
    place: Window,
    feature: str,
    state: State,
    effect: float | None = None,
    noise_floor: float | None = None,
    evidence_ratio: float = 0.0,
    *,
    p_value: float | None = None,
    wrong: tuple[Aspect, ...] = (),
    moved: tuple[Moved, ...] = (),
    tested_ms: int | None = None,
) -> Verdict:
    """tested_ms: the end of the window, where it has an effect and nothing else is said."""
    if tested_ms is None:
        tested_ms = -1 if effect is None else place.end_ms
    return Verdict(
        place,
        feature,
        812,
        state,
        effect,
        noise_floor,
        psi=effect,
        p_value=p_value,
        evidence_ratio=evidence_ratio,
        wrong=wrong,
        moved=moved,
        tested_ms=tested_ms,
    )


def watch_view(
    learning_until_ms: int | None = None,
    *,
    registered: bool = True,
    skew: Skew | None = None,
    segments: Mapping[str, Mapping[str, Detectable | None]] = MappingProxyType({}),
    **detectable: Detectable | None,
) -> WatchView:
    return WatchView(registered, learning_until_ms, detectable, skew, segments)


def skewed() -> Skew:
    """Of the fortnight before ten o'clock: `amount` differs."""
    moved = (Moved("20 to 45", 0.05, 0.12, 0.6), Moved("over 45", 0.5, 0.43, 0.4))
    return Skew("3", TEN_MS - 14 * 24 * HOUR_MS, TEN_MS, (Differing("amount", 0.31, moved),))


def reading(place: Window, feature: str, statistic: str, value: float | None) -> Reading:
    return Reading(place, feature, statistic, 812, "insufficient" if value is None else "ok", value)


def window_view(
    place: Window,
    verdicts: Iterable[Verdict] = (),
    readings: Iterable[Reading] = (),
    estimates: Iterable[Reading] = (),
) -> WindowView:
    return WindowView(place, 812, tuple(readings), tuple(verdicts), tuple(estimates))


def estimate(place: Window, metric: str, value: float | None) -> Reading:
    """With an interval of two hundredths either side; a value of None is not applicable."""
    if value is None:
        return Reading(place, "", f"{metric}_estimate", 0, "not_applicable")
    return Reading(place, "", f"{metric}_estimate", 800, "ok", value, value - 0.02, value + 0.02)


def performance_view(place: Window, value: float | None, *, settled: bool = True) -> PerformanceView:
    """roc_auc with an interval of a hundredth either side; a value of None is insufficient."""
    if value is None:
        figure = Reading(place, "", "roc_auc", 40, "insufficient")
    else:
        figure = Reading(place, "", "roc_auc", 577, "ok", value, value - 0.01, value + 0.01)
    followed = (0.4, "brier") if settled else (None, "")
    expected = (estimate(place, "accuracy", None), estimate(place, "roc_auc", 0.9))
    return PerformanceView(place, place.start_ms, 577, 0.71, (figure,), settled, *followed, expected)


def model_view(
    name: str = "fraud",
    *,
    features: tuple[str, ...] = ("amount", "country"),
    versions: tuple[str, ...] = ("3",),
    labels: Mapping[str, int] = MappingProxyType({}),
    delays: Histogram = NO_DELAYS,
    windows: Iterable[WindowView] = (),
    performance: Iterable[PerformanceView] = (),
    incidents: Iterable[Incident] = (),
    triggers: Sequence[Life] = (),
    watches: Mapping[str, WatchView] = MappingProxyType({}),
    latency: Histogram | None = None,
    since: Mapping[str, int] = MappingProxyType({}),
    targets: Mapping[str, Target] = MappingProxyType({}),
) -> ModelView:
    return ModelView(
        name=name,
        task="binary",
        metric="roc_auc",
        features=features,
        versions=versions,
        last_event_ms=TEN_MS + HOUR_MS + 120,
        watermark_ms=TEN_MS + HOUR_MS,
        predictions=1624,
        labels=labels,
        label_delay_s=delays,
        windows=tuple(windows),
        performance=tuple(performance),
        incidents=tuple(incidents),
        triggers=tuple(triggers),
        decided=Counter(
            (each.trigger.window.version, "withheld" if each.trigger.withheld else "requested") for each in triggers
        ),
        in_flight=sum(each.in_flight for each in triggers),
        alarms=AlarmSpec(budget=0.5, tolerance=0.03, persistence=3),
        watches=watches,
        latency_s=latency,
        latencies_invalid=4 if latency else 0,
        since_ms=since,
        targets=targets,
    )


def snapshot(*models: ModelView, service: ServiceView | None = None) -> Snapshot:
    return Snapshot(7, {model.name: model for model in models}, service or ServiceView())


def trigger(
    trigger_id: str,
    place: Window,
    evidence: tuple[Verdict, ...],
    *,
    performance: PerformanceEvidence | None = None,
    withheld: str = "",
) -> Trigger:
    return Trigger(
        id=trigger_id,
        reason="drift",
        severity="major",
        summary="amount drifted",
        window=place,
        onset_ms=place.start_ms,
        incident="inc_1",
        evidence=evidence,
        performance=performance,
        labels=37_800,
        rows=53_000,
        offsets={"predictions/0": (1_200, 54_200)},
        training_ms=(place.start_ms - 5 * HOUR_MS, place.end_ms),
        label_offsets={"labels/0": (900, 38_000)},
        withheld=withheld,
    )


def drifting() -> Snapshot:
    """Model `fraud`: `amount` drifts in the second hour, which opened an incident and sent a trigger. Model `churn`
    has seen no event.
    """
    first, second = window(0), window(1)
    windows = (
        window_view(first, [verdict(first, "amount", "ok", 0.001, 0.019), verdict(first, "country", "ok", 0.0, 0.02)]),
        window_view(
            second,
            [
                verdict(
                    second,
                    "amount",
                    "drifting",
                    0.31,
                    0.019,
                    4.2,
                    p_value=1e-9,
                    wrong=("out of range",),
                    moved=(Moved("100 to 250", 0.05, 0.14, 0.6),),
                ),
                verdict(second, "country", "ok", 0.012, 0.02, 0.002, p_value=0.4),
            ],
            [
                reading(second, "amount", "psi", 0.33),
                reading(second, "amount", "missing", 0.05),
                reading(second, "amount", "out_of_range", 0.25),
                reading(second, "country", "psi", None),
                reading(second, "country", "unseen", 0.125),
                reading(second, "country", "invalid", 0.0),
            ],
            [estimate(second, "accuracy", None), estimate(second, "roc_auc", 0.875)],
        ),
    )
    incident = Incident("inc_1", "drift", "major", second, second, ("amount",))
    closed = Incident("inc_0", "data", "minor", first, first, ("country",), open=False)
    evidence = (verdict(second, "amount", "drifting", 0.31, 0.019, 4.2),)
    fell = PerformanceEvidence("roc_auc", 0.84, 0.82, 0.86, 0.91, 0.71)
    sent = trigger("trg_1", second, evidence, performance=fell)
    withheld = trigger("trg_0", first, evidence, withheld="too few labels")
    fraud = model_view(
        delays=Histogram(((1.0, 500), (3_600.0, 70), (7_776_000.0, 5)), 2, 16_000_000.25),
        latency=Histogram(((0.01, 900), (0.1, 600), (1.0, 100)), 20, 95.5),
        labels={"matched": 577, "waiting": 40, "expired": 3, "conflict": 1},
        windows=windows,
        performance=[performance_view(first, 0.84), performance_view(second, None, settled=False)],
        incidents=[closed, incident],
        triggers=[
            Life.begun(withheld, first.end_ms),
            Life.begun(sent, second.end_ms).after("tried", TEN_MS + 3 * HOUR_MS, "HTTP 503."),
        ],
        watches={"3": watch_view(amount=Detectable(0.085, 1), country=None)},
        since={"3": TEN_MS},
        targets={"3": Target(0.91, 0.88)},
    )
    churn = ModelView("churn", "binary", "f1", ("age",), (), None, None, 0, {}, NO_DELAYS, (), (), (), ())
    return snapshot(fraud, churn, service=busy_service())


def busy_service() -> ServiceView:
    return ServiceView(
        events={("predictions", "accepted"): 1624, ("predictions", "late"): 3, ("labels", "accepted"): 807},
        unknown_keys=12,
        lag={("predictions", 0): 40, ("predictions", 1): 0},
        gaps=1,
        outbox_pending={"airflow": 1},
        deliveries={("airflow", "delivered"): 2, ("airflow", "failed"): 1},
        delivery=(DeliveryView("trg_1", "airflow", "pending", 2, "the receiver answered 503"),),
        commits=8,
        commit_seconds=0.032,
        committed_ms=1_795_431_600_500,
        poll_returned_ms=TEN_MS + 2 * HOUR_MS,
    )
