"""What is usual somewhere and must alarm nobody."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.alerts.model_cases import MODEL, TARGET, VERSION, counter, named
from tests.alerts.promtool import Series, Value, check

DAY = 96
"""Steps of a quarter of an hour in a day."""


def summed(rates: list[float]) -> list[Value]:
    return counter(*((1, rate) for rate in rates))


def predictions(rates: list[float]) -> Series:
    return {named("predictions_total", **MODEL): summed(rates)}


def labels(rates: list[float]) -> Series:
    busy = predictions([10.0] * len(rates))
    return busy | {named("labels_total", **MODEL, result="matched"): summed(rates)}


NIGHTS = ([100.0] * 64 + [0.0] * 32) * 3
WORKING_DAYS = ([50.0] * 5 * DAY + [0.0] * 2 * DAY) * 2
SOME_AN_HOUR = [float(draw.random() < 0.25) for draw in [random.Random(1)] for _ in range(3 * DAY)]
DAILY_BATCHES = [
    rate for late in (0, 4, 1, 12, 0, 8) for rate in [0.0] * (8 + late) + [500.0] + [0.0] * (DAY - 9 - late)
]
WEEKLY_BATCHES = ([0.0] * 6 * 24 + [900.0] + [0.0] * 23) * 5  # By the hour.
LAG = {**TARGET, "topic": "predictions"}


def lag(values: list[float], rate: float) -> Series:
    read = counter((len(values), rate))
    return {
        named("consumer_lag_records", **LAG, partition="0"): list(values),
        named("events_total", **LAG, result="accepted"): read,
    }


STORIES: dict[str, tuple[str, int, Series]] = {
    "a model without traffic at night": ("ModelSilent", 15, predictions(NIGHTS)),
    "a model without traffic on weekends, from its second on": (
        "ModelSilent",
        15,
        predictions(WORKING_DAYS[5 * DAY :]),
    ),
    "a model of few predictions": ("ModelSilent", 15, predictions(SOME_AN_HOUR)),
    "a new model": ("ModelSilent", 15, predictions([0.0] * 40 + [5.0] * 40)),
    "labels in daily batches, up to three hours late": ("ModelLabelsStopped", 15, labels(DAILY_BATCHES)),
    "labels in weekly batches": ("ModelLabelsStopped", 60, labels(WEEKLY_BATCHES)),
    "a model without labels": ("ModelLabelsStopped", 15, labels([0.0] * 4 * DAY)),
    "few labels, as ever": (
        "ModelLabelCoverageLow",
        5,
        {named("label_coverage_ratio", **VERSION, segment=""): [0.1, 0.08] * 300},
    ),
    "a busy topic": ("ModelMonitorLagGrowing", 1, lag([0, 900, 4000, 20, 2500] * 30, 60_000)),
    "a topic that gets busier": ("ModelMonitorLagGrowing", 1, lag([10.0 * at for at in range(300)], 3000)),
    "a backlog that is read after a start": (
        "ModelMonitorLagGrowing",
        1,
        lag([1_000_000.0 - 10_000 * at for at in range(100)], 20_000),
    ),
    "a service without events": (
        "ModelMonitorNotCommitting",
        1,
        {
            named("consumer_lag_records", **LAG, partition="0"): [0] * 90,
            named("last_commit_timestamp_seconds", **TARGET): [0] * 90,
        },
    ),
    "a request that was withheld at first, and made": (
        "ModelRetrainWithheld",
        5,
        {
            named("incidents_open", **VERSION, cause="performance", severity="major"): [0] * 6 + [1] * 60,
            named("triggers_total", **VERSION, result="withheld"): [0] * 6 + [1] * 60,
            named("triggers_total", **VERSION, result="requested"): [0] * 12 + [1] * 54,
        },
    ),
    "a request that is in flight for longer than a day": (
        "ModelRetrainWithheld",
        5,
        {
            named("incidents_open", **VERSION, cause="performance", severity="major"): [0] * 6 + [1] * 600,
            named("triggers_total", **VERSION, result="withheld"): [0] * 400 + [1] * 206,
            named("triggers_total", **VERSION, result="requested"): [0] * 6 + [1] * 600,
            named("triggers_in_flight", **MODEL): [0] * 6 + [1] * 600,
        },
    ),
    "a pipeline that failed once, and then did it": (
        "ModelRetrainFailed",
        5,
        {
            named("triggers_total", **VERSION, result="failed"): [0] * 400 + [1] * 200,
            named("triggers_total", **VERSION, result="expired"): [0] * 600,
            named("triggers_total", **VERSION, result="succeeded"): [0] * 390 + [1] * 210,
        },
    ),
    "a receiver that is away for some minutes": (
        "ModelMonitorDeliveryStuck",
        1,
        {named("outbox_pending", **TARGET, receiver="airflow"): [0] * 10 + [1] * 20 + [0] * 40},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_it_alarms_nobody(story: str, tmp_path: Path) -> None:
    alert, step, series = STORIES[story]
    end = (max(map(len, series.values())) - 1) * step
    fired = f'sum(count_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{end}m])) or vector(0)'
    never = {"expr": fired, "eval_time": f"{end}m", "exp_samples": [{"labels": "{}", "value": 0}]}
    check(tmp_path, alert, series, step, [never])
