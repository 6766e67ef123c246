"""Stories of the alerts on the service itself."""

from __future__ import annotations

from tests.alerts.model_cases import TARGET, counter, named
from tests.alerts.promtool import Case

BUILD = named("build_info", **TARGET, version="0.1.0")
LAG = {**TARGET, "topic": "predictions"}
WHO = "model-monitor on monitor-0:8000"


def up() -> str:
    return f'up{{job="{TARGET["job"]}",instance="{TARGET["instance"]}"}}'


SERVICE_CASES = (
    Case(
        "ModelMonitorDown",
        "critical",
        {up(): [1] * 10 + [0] * 30 + [1] * 20},
        10,
        40,
        TARGET,
        f"{WHO} is down: no model of it is watched",
        "Prometheus cannot scrape it. Nothing is lost as long as Kafka keeps the events: it goes on where it stopped. "
        "What its models' alerts said before stands until it is back.",
        also={BUILD: [*[1] * 10, "stale"]},
    ),
    Case(
        "ModelMonitorAbsent",
        "critical",
        {BUILD: [*[1] * 10, "stale", *[None] * 29, *[1] * 20]},
        10,
        40,
        {},
        "model-monitor is nowhere to be seen: no model is watched",
        "Prometheus has no metric of it from any target. It is not scraped at all (gone from service discovery, or "
        "another address), or it has been down since.",
        stale=False,
    ),
    Case(
        "ModelMonitorNotReading",
        "critical",
        {
            named("poll_last_return_timestamp_seconds", **TARGET): [
                *[60 * at for at in range(10)],
                *[540] * 30,
                *[60 * at for at in range(40, 80)],
            ],
            BUILD: [1] * 80,
        },
        12,
        40,
        TARGET,
        f"{WHO} cannot read from Kafka: no model of it is watched",
        "The last read was at 1970-01-01 00:09:00 UTC. /readyz says what is wrong. Nothing is lost as long as Kafka "
        "keeps the events.",
    ),
    Case(
        "ModelMonitorNotCommitting",
        "critical",
        {
            named("last_commit_timestamp_seconds", **TARGET): [
                *[60 * at for at in range(10)],
                *[540] * 30,
                *[60 * at for at in range(40, 80)],
            ],
            named("consumer_lag_records", **LAG, partition="0"): [7] * 80,
        },
        14,
        40,
        TARGET,
        f"{WHO} takes in nothing, though events wait",
        "7 records wait, and no step was kept for five minutes: the disk of its state may be full or slow, or one step "
        "does not end. Nothing is lost as long as Kafka keeps the events.",
    ),
    Case(
        "ModelMonitorLagGrowing",
        "warning",
        {
            named("consumer_lag_records", **LAG, partition="0"): [
                *[5] * 20,
                *[5 + 60 * at for at in range(60)],
                *[0] * 40,
            ],
            named("consumer_lag_records", **LAG, partition="1"): [1] * 120,
            named("events_total", **LAG, result="accepted"): counter((120, 50)),
            named("events_total", **LAG, result="late"): [0] * 120,
        },
        29,
        80,
        LAG,
        f"{WHO} falls behind in topic predictions",
        "1146 records wait, more than were read in the last ten minutes, and they grow. What it shows is as old as "
        "that. Before Kafka's retention takes what was not read, it has to catch up.",
    ),
    Case(
        "ModelMonitorDataGap",
        "warning",
        {named("data_gaps_total", **TARGET): [0] * 10 + [1] * 100},
        10,
        70,
        TARGET,
        f"{WHO} lost events: Kafka no longer held them",
        "Retention, or a topic that was made anew, took what had not been read. Windows of that time hold fewer rows "
        "than came.",
        lingers=60,
    ),
    Case(
        "ModelMonitorEventsRejected",
        "warning",
        {
            named("events_total", **LAG, result="accepted"): counter((200, 90)),
            named("events_total", **LAG, result="rejected"): counter((70, 0), (10, 10), (120, 0)),
        },
        76,
        135,
        LAG,
        "topic predictions: 1.818% of its events cannot be read",
        "They are in the dead-letter topic, each with its reason, and are missing in windows. Most often a producer "
        "was changed, or sends a model that is not configured.",
        lingers=60,
    ),
    Case(
        "ModelMonitorEventsLate",
        "warning",
        {
            named("events_total", **LAG, result="accepted"): counter((200, 90)),
            named("events_total", **LAG, result="late"): counter((70, 0), (20, 30), (110, 0)),
        },
        80,
        141,
        LAG,
        "topic predictions: 10% of its events come too late",
        "Their windows had closed, so that they count nowhere. A back-fill does so; else a producer is slow or its "
        "clock is wrong, or `lateness` is too short for it.",
        lingers=60,
    ),
    Case(
        "ModelMonitorDeliveryStuck",
        "warning",
        {named("outbox_pending", **TARGET, receiver="airflow"): [0] * 10 + [2] * 50 + [0] * 20},
        10,
        60,
        {**TARGET, "receiver": "airflow"},
        "receiver airflow does not take what model-monitor sends",
        "2 messages, retrain requests among them, have waited for half an hour. They are sent again for three days "
        "under the same id.",
    ),
    Case(
        "ModelMonitorDeliveryFailed",
        "warning",
        {
            named("deliveries_total", **TARGET, receiver="airflow", result="failed"): [0] * 10 + [1] * 100,
            named("deliveries_total", **TARGET, receiver="airflow", result="disabled"): [0] * 110,
            named("deliveries_total", **TARGET, receiver="airflow", result="retry"): counter((110, 1)),
        },
        10,
        70,
        {**TARGET, "receiver": "airflow"},
        "receiver airflow: a message was given up, and a retraining may not happen",
        "It was refused, or not taken for three days, or the receiver has answered that it is gone (410). It is not "
        "sent again: /api/v1/triggers shows which request it was and the receiver's answer.",
        lingers=60,
    ),
    Case(
        "ModelMonitorSeriesDropped",
        "info",
        {named("series_dropped", **TARGET): [0] * 10 + [120] * 50 + [0] * 40},
        10,
        60,
        TARGET,
        f"{WHO} does not show 120 series",
        "It has more than its server.series_budget: the least drifted features are missing in Prometheus. They are "
        "watched all the same, and alarms are complete.",
    ),
)
