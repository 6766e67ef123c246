"""Every route of the API: what it answers, how it pages, and how it refuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monitor.detection.records import IncidentChange
from monitor.errors import UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.snapshot import Snapshot
from tests.exports.client import Client, Response
from tests.exports.snapshots import (
    HOSTILE,
    HOUR_MS,
    TEN_MS,
    drifting,
    model_view,
    performance_view,
    reading,
    skewed,
    snapshot,
    verdict,
    watch_view,
    window,
    window_view,
)


def client(current: Callable[[], Snapshot] = drifting) -> Client:
    return Client(create_app(current))


def got(path: str, current: Callable[[], Snapshot] = drifting) -> Any:
    answer = client(current).get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: Response, status: int) -> str:
    """The sentence of a problem document."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    return str(problem["detail"])


def many_windows(number: int) -> Snapshot:
    return snapshot(model_view(windows=[window_view(window(hour)) for hour in range(number)]))


def test_the_process_is_alive_even_where_it_is_not_ready() -> None:
    down = replace(drifting(), service=replace(drifting().service, not_ready="no broker answers"))
    assert got("/livez", lambda: down) == {"status": "alive"}
    assert refused(client(lambda: down).get("/readyz"), 503) == "no broker answers"
    assert got("/readyz") == {"status": "ready"}


def test_metrics_are_negotiated() -> None:
    text = client().get("/metrics")
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "model_monitor_build_info" in text.text
    openmetrics = client().get("/metrics", headers={"accept": "application/openmetrics-text;version=x;q=0.9"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.endswith("# EOF\n")


def test_models_are_listed_by_name() -> None:
    page = got("/api/v1/models")
    assert [model["name"] for model in page["items"]] == ["churn", "fraud"]
    assert page["total"] == 2
    assert page["next"] is None
    assert page["items"][1] == {
        "name": "fraud",
        "task": "binary",
        "metric": "roc_auc",
        "state": "drifting",
        "versions": ["3"],
        "versions_since": {"3": "2026-11-23T10:00:00Z"},
        "last_event": "2026-11-23T11:00:00.120000Z",
        "watermark": "2026-11-23T11:00:00Z",
        "predictions": 1624,
        "latency": {"predictions": 1620, "mean": 95.5 / 1620, "p50": 0.009, "p95": pytest.approx(0.451)},
        "labels": {"matched": 577, "waiting": 40, "expired": 3, "conflict": 1},
        "incidents_open": 1,
    }
    assert page["items"][0]["last_event"] is None
    assert page["items"][0]["latency"] is None
    assert page["items"][0]["state"] == "learning"


def test_a_model_is_shown_with_its_standing() -> None:
    model = got("/api/v1/models/fraud")
    (standing,) = model["current"]
    assert model["features"] == ["amount", "country"]
    assert model["alarms"] == {"budget": 0.5, "tolerance": 0.03, "persistence": 3}
    assert standing["state"] == "drifting"
    assert standing["window"] == {"window_start": "2026-11-23T11:00:00Z", "window_end": "2026-11-23T12:00:00Z"}
    assert standing["features"][0] == {
        "feature": "amount",
        "segment": "",
        "window_start": "2026-11-23T11:00:00Z",
        "window_end": "2026-11-23T12:00:00Z",
        "rows": 812,
        "state": "drifting",
        "effect": 0.31,
        "noise_floor": 0.019,
        "psi": 0.31,
        "p_value": 1e-9,
        "evidence_ratio": 4.2,
        "wrong": ["out of range"],
        "moved": [{"cell": "100 to 250", "usual": 0.05, "now": 0.14, "part": 0.6}],
        "last_tested": "2026-11-23T12:00:00Z",
    }
    assert standing["detectable"] == {"amount": {"effect": 0.085, "windows": 1}, "country": None}
    assert (standing["learning_until"], standing["learning"]) == (None, None)
    assert standing["performance"] == {
        "window_start": "2026-11-23T10:00:00Z",
        "window_end": "2026-11-23T11:00:00Z",
        "labels": 577,
        "label_coverage": 0.71,
        "settled": True,
        "evidence_ratio": 0.4,
        "evidence_loss": "brier",
        "metrics": [
            {
                "metric": "roc_auc",
                "status": "ok",
                "value": 0.84,
                "lower": 0.83,
                "upper": 0.85,
                "revision": 0,
                "estimate": 0.9,
                "estimate_lower": 0.88,
                "estimate_upper": 0.92,
                "gap": pytest.approx(-0.06),
            }
        ],
    }
    nothing = {"metric": "accuracy", "status": "not_applicable", "rows": 0, "value": None, "lower": None, "upper": None}
    found = {"metric": "roc_auc", "status": "ok", "rows": 800, "value": 0.875, "lower": 0.855, "upper": 0.895}
    assert standing["performance_estimate"] == [nothing, found]


def test_a_version_says_how_production_differs_from_training() -> None:
    (none,) = got("/api/v1/models/fraud")["current"]
    assert none["skew"] is None
    view = window_view(window(0), [verdict(window(0), "amount", "ok", 0.0, 0.01)])
    shown = snapshot(model_view(windows=[view], watches={"3": watch_view(skew=skewed())}))
    (standing,) = client(lambda: shown).get("/api/v1/models/fraud").json()["current"]
    assert standing["state"] == "ok"
    assert standing["skew"] == {
        "measured_from": "2026-11-09T10:00:00Z",
        "measured_until": "2026-11-23T10:00:00Z",
        "features": [
            {
                "feature": "amount",
                "effect": 0.31,
                "moved": [
                    {"cell": "20 to 45", "usual": 0.05, "now": 0.12, "part": 0.6},
                    {"cell": "over 45", "usual": 0.5, "now": 0.43, "part": 0.4},
                ],
            }
        ],
    }


def test_windows_are_listed_newest_first_with_what_moved() -> None:
    newest, oldest = got("/api/v1/models/fraud/windows")["items"]
    assert newest["window_start"] == oldest["window_end"] == "2026-11-23T11:00:00Z"
    assert newest["drifting"] == ["amount"]
    assert newest["states"] == {"drifting": 1, "ok": 1}
    assert oldest["performance"]["settled"] is True
    assert newest["performance"]["metrics"][0]["value"] is None
    assert newest["performance"]["metrics"][0]["status"] == "insufficient"


def test_windows_are_filtered_by_version_and_segment() -> None:
    places = [window(0, version="1"), window(0, version="2"), window(0, version="2", segment="country=PL")]
    current = snapshot(model_view(windows=[window_view(place) for place in places]))
    path = "/api/v1/models/fraud/windows"
    assert got(f"{path}?version=2", lambda: current)["total"] == 2
    assert got(f"{path}?version=2&segment=", lambda: current)["total"] == 1
    assert got(f"{path}?segment=country%3DPL", lambda: current)["items"][0]["segment"] == "country=PL"


@pytest.mark.parametrize(("number", "pages"), [(20, [10, 10]), (25, [10, 10, 5])])
def test_a_list_is_read_whole_by_following_next(number: int, pages: list[int]) -> None:
    http = client(lambda: many_windows(number))
    lengths: list[int] = []
    starts: list[str] = []
    path: str | None = "/api/v1/models/fraud/windows?limit=10"
    while path is not None:
        page = http.get(path).json()
        assert page["total"] == number
        lengths.append(len(page["items"]))
        starts += [item["window_start"] for item in page["items"]]
        path = page["next"]
    assert lengths == pages
    assert starts == sorted(set(starts), reverse=True)


def test_the_next_page_keeps_the_filters() -> None:
    places = [window(hour, version=version) for hour in range(3) for version in ("1", "2")]
    http = client(lambda: snapshot(model_view(windows=[window_view(place) for place in places])))
    first = http.get("/api/v1/models/fraud/windows?version=2&limit=1").json()
    second = http.get(first["next"]).json()
    assert (first["total"], second["total"]) == (3, 3)
    assert second["items"][0]["version"] == "2"


def test_a_page_beyond_the_end_is_empty() -> None:
    assert got("/api/v1/incidents?offset=5") == {"items": [], "total": 2, "next": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=many", "offset=-1", f"offset={'9' * 5000}"])
def test_paging_out_of_bounds_is_refused_with_the_parameter_named(query: str) -> None:
    answer = client().get(f"/api/v1/incidents?{query}")
    name = query.partition("=")[0]
    assert refused(answer, 422).startswith(f"{name} must be ")
    assert answer.json()["errors"][0]["parameter"] == name


_TIME = "must be a time with its offset from UTC, as in 2026-11-23T10:00:00Z"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"reason": "r", "from": "yesterday"}', f"from {_TIME}"),
        ('{"reason": "r", "from": "2026-11-23T10:00:00"}', f"from {_TIME}"),
        ('{"reason": "r", "from": 1e300}', f"from {_TIME}"),
        ("{}", "reason is missing: /docs says what it is"),
        ('{"reason": " "}', "reason must not be empty"),
        ('{"reason": "' + "x" * 1001 + '"}', "reason must have at most 1,000 characters"),
        ('{"reason": "r", "features": [1, ""]}', "features[0] must be text; features[1] must not be empty"),
        ('{"reason": "r", "features": "amount"}', "features must be a list"),
        ('{"reason": "r", "form": 1}', "form is not a known key: /docs lists those that are"),
        ('{"reason": "\\ud800"}', "reason must be text"),
        ("[1]", "the body must be a JSON object, sent as application/json"),
        ('{"reason"', "the body is not valid JSON: correct it"),
        ("", "the body is missing: /docs says what it is"),
    ],
)
def test_a_body_that_is_not_as_it_must_be_is_refused_in_plain_words(body: str, said: str) -> None:
    headers = {"content-type": "application/json"}
    answer = client().post("/api/v1/models/fraud/rebaseline", headers=headers, content=body.encode())
    assert refused(answer, 422) == said
    assert "; ".join(f"{each['parameter']} {each['problem']}" for each in answer.json()["errors"]) == said


def test_a_body_that_is_no_text_is_refused_in_plain_words() -> None:
    headers = {"content-type": "application/json"}
    answer = client().post("/api/v1/incidents/i/acknowledge", headers=headers, content=b"\xff")
    assert refused(answer, 400) == "the body cannot be read: send JSON in UTF-8"


def test_a_feature_is_shown_window_by_window() -> None:
    newest, oldest = got("/api/v1/models/fraud/features/amount")["items"]
    assert newest["verdict"]["effect"] == 0.31
    assert newest["verdict"]["evidence_ratio"] == 4.2
    assert newest["verdict"]["wrong"] == ["out of range"]
    assert oldest["verdict"]["p_value"] is None
    assert newest["readings"][0] == {"statistic": "psi", "status": "ok", "value": 0.33}
    assert oldest["readings"] == []
    country = got("/api/v1/models/fraud/features/country")["items"][0]
    assert country["readings"][0] == {"statistic": "psi", "status": "insufficient", "value": None}


@pytest.mark.parametrize(
    ("registered", "until_ms", "said"),
    [
        (
            True,
            TEN_MS + 48 * HOUR_MS,
            "Version 3 is learning what is usual: the alarm budget holds from 2026-11-25 10:00 UTC on; until then only "
            "faulty data and major changes alarm.",
        ),
        (
            False,
            TEN_MS + HOUR_MS + 1,
            "Version 3 is learning what is usual: the alarm budget holds from 2026-11-23 11:00 UTC on; until then "
            "nothing alarms.",
        ),
        (
            True,
            TEN_MS + HOUR_MS,
            "Version 3 is still learning what is usual, as too few hours of the week have been seen twice; until then "
            "only faulty data and major changes alarm.",
        ),
    ],
)
def test_a_version_that_learns_says_until_when_and_what_alarms_meanwhile(
    registered: bool, until_ms: int, said: str
) -> None:
    watches = {"3": watch_view(until_ms, registered=registered)}
    learner = snapshot(model_view(windows=[window_view(window(0))], watches=watches))
    (standing,) = got("/api/v1/models/fraud", lambda: learner)["current"]
    assert standing["learning"] == said
    assert standing["learning_until"].startswith("2026-11-2")
    assert said in client(lambda: learner).get("/models/fraud").text


def test_what_the_model_answered_is_shown_window_by_window_too() -> None:
    place = window(0)
    current = snapshot(model_view(windows=[window_view(place, [verdict(place, "@score", "ok", 0.1)])]))
    assert got("/api/v1/models/fraud/features/%40score", lambda: current)["items"][0]["verdict"]["effect"] == 0.1
    assert refused(client(lambda: current).get("/api/v1/models/fraud/features/score"), 404)


def test_incidents_are_listed_newest_first_and_filtered() -> None:
    assert [item["id"] for item in got("/api/v1/incidents")["items"]] == ["inc_1", "inc_0"]
    assert [item["id"] for item in got("/api/v1/incidents?open=false")["items"]] == ["inc_0"]
    assert got("/api/v1/incidents?model=churn")["total"] == 0


def test_an_incident_is_shown() -> None:
    assert got("/api/v1/incidents/inc_1") == {
        "id": "inc_1",
        "model": "fraud",
        "version": "3",
        "segment": "",
        "cause": "drift",
        "severity": "major",
        "open": True,
        "acknowledged": False,
        "opened": {"window_start": "2026-11-23T11:00:00Z", "window_end": "2026-11-23T12:00:00Z"},
        "latest": {"window_start": "2026-11-23T11:00:00Z", "window_end": "2026-11-23T12:00:00Z"},
        "features": ["amount"],
        "report": "/models/fraud/report?version=3&window=2026-11-23T12%3A00%3A00Z",
        "steps": [],
    }


def test_an_incident_tells_its_life_so_far() -> None:
    incident = drifting().models["fraud"].incidents[1]
    opened = IncidentChange(replace(incident, severity="minor"), "opened", window(1), "amount drifted", TEN_MS)
    worse = IncidentChange(incident, "worsened", window(2), "amount \ud800 drifted more", window(1).start_ms)
    behind = Behind(steps=lambda asked: [opened, worse] if asked == "inc_1" else [])
    answer = Client(create_app(drifting, behind)).get("/api/v1/incidents/inc_1").json()
    assert answer["steps"] == [
        {
            "event": "opened",
            "window": {"window_start": "2026-11-23T11:00:00Z", "window_end": "2026-11-23T12:00:00Z"},
            "reason": "amount drifted",
            "severity": "minor",
            "onset": "2026-11-23T10:00:00Z",
        },
        {
            "event": "worsened",
            "window": {"window_start": "2026-11-23T12:00:00Z", "window_end": "2026-11-23T13:00:00Z"},
            "reason": "amount \\ud800 drifted more",
            "severity": "major",
            "onset": "2026-11-23T11:00:00Z",
        },
    ]


def test_a_life_that_cannot_be_read_now_is_a_problem() -> None:
    def gone(_: str) -> list[IncidentChange]:
        raise UnavailableError("the store cannot be read")

    http = Client(create_app(drifting, Behind(steps=gone)))
    assert refused(http.get("/api/v1/incidents/inc_1"), 503) == "the store cannot be read"
    page = http.get("/incidents/inc_1", headers={"accept": "text/html"})
    assert page.status_code == 503
    assert "The store cannot be read." in page.text


def test_a_trigger_is_shown_with_its_deliveries() -> None:
    assert [item["id"] for item in got("/api/v1/triggers?model=fraud")["items"]] == ["trg_1", "trg_0"]
    assert [item["id"] for item in got("/api/v1/triggers?state=withheld")["items"]] == ["trg_0"]
    assert "state" in refused(client().get("/api/v1/triggers?state=lost"), 422)
    sent, withheld = got("/api/v1/triggers/trg_1"), got("/api/v1/triggers/trg_0")
    assert sent["deliveries"] == [
        {"receiver": "airflow", "state": "pending", "attempts": 2, "last_error": "the receiver answered 503"}
    ]
    assert sent["performance"]["reference"] == 0.91
    assert sent["onset"] == "2026-11-23T11:00:00Z"
    assert sent["offsets"] == {"predictions/0": [1200, 54200]}
    assert sent["label_offsets"] == {"labels/0": [900, 38000]}
    assert sent["training_window"] == {
        "window_start": "2026-11-23T06:00:00Z",
        "window_end": "2026-11-23T12:00:00Z",
    }
    assert sent["withheld"] is None
    assert (sent["state"], sent["since"]) == ("sent", "2026-11-23T13:00:00Z")
    assert [(step["state"], step["at"], step["detail"]) for step in sent["reports"]] == [
        ("pending", "2026-11-23T12:00:00Z", "amount drifted"),
        ("sent", "2026-11-23T13:00:00Z", "HTTP 503."),
    ]
    assert (sent["run"], sent["new_version"]) == (None, None)
    assert (withheld["state"], withheld["reports"][0]["detail"]) == ("withheld", "too few labels")
    assert (withheld["withheld"], withheld["performance"], withheld["deliveries"]) == ("too few labels", None, [])


@pytest.mark.parametrize(
    ("path", "help_given"),
    [
        ("/api/v1/models/nope", "churn, fraud"),
        ("/api/v1/models/nope/windows", "churn, fraud"),
        ("/api/v1/models/fraud/features/nope", "amount, country"),
        ("/api/v1/incidents/nope", "/api/v1/incidents"),
        ("/api/v1/triggers/nope", "/api/v1/triggers"),
        ("/nowhere", "/docs"),
    ],
)
def test_what_does_not_exist_is_a_problem_that_says_what_does(path: str, help_given: str) -> None:
    assert help_given in refused(client().get(path), 404)


def test_a_method_that_is_not_taken_is_a_problem_that_names_those_that_are() -> None:
    answer = client().post("/api/v1/models")
    assert "POST" in refused(answer, 405)
    assert answer.headers["allow"] == "GET"


def test_an_unexpected_error_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Snapshot:
        raise RuntimeError("the password is hunter2")

    with caplog.at_level(logging.ERROR):
        answer = client(broken).get("/api/v1/models")
    assert "hunter2" not in answer.text
    assert "log" in refused(answer, 500)
    assert "hunter2" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["team/fraud", "with space", "ż", "100%", HOSTILE.replace("\n", ""), "a/windows/b"])
def test_a_model_and_feature_of_any_name_are_found(name: str) -> None:
    place = window(0, model=name)
    view = window_view(place, [verdict(place, name, "ok", 0.1, 0.2)], [reading(place, name, "psi", 0.1)])
    current = snapshot(model_view(name, features=(name,), windows=[view, view]))
    http = client(lambda: current)
    model = f"/api/v1/models/{quoted(name)}"
    assert http.get(model).json()["name"] == name
    assert http.get(f"{model}/features/{quoted(name)}").json()["items"][0]["verdict"]["feature"] == name
    following = http.get(f"{model}/windows?limit=1").json()["next"]
    assert re.fullmatch(r"[!-~]+", following)
    assert http.get(following).json()["total"] == 2


def quoted(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())


def test_names_and_times_that_cannot_be_written_do_not_break_an_answer() -> None:
    place = window(0, version="\ud800")._replace(start_ms=-(10**18), end_ms=10**18)
    odd = model_view(
        versions=("\ud800",),
        windows=[window_view(place, [verdict(place, "\udfff", "drifting", 0.1, 0.0)])],
        performance=[performance_view(place, 0.5)],
    )
    odd = replace(odd, last_event_ms=10**30)
    (item,) = got("/api/v1/models", lambda: snapshot(odd))["items"]
    assert item["versions"] == ["\\ud800"]
    assert item["last_event"].startswith("9999-12-31T")
    for path in ("/", "/metrics", "/api/v1/models/fraud", "/api/v1/models/fraud/windows"):
        assert client(lambda: snapshot(odd)).get(path).status_code == 200


def test_the_openapi_document_describes_every_route_and_field() -> None:
    document = got("/openapi.json")
    assert set(document["paths"]) == {
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/models",
        "/api/v1/models/{model}",
        "/api/v1/models/{model}/windows",
        "/api/v1/models/{model}/features/{feature}",
        "/api/v1/models/{model}/features/{feature}/distribution",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident}",
        "/api/v1/incidents/{incident}/acknowledge",
        "/api/v1/models/{model}/comparison",
        "/api/v1/models/{model}/report",
        "/api/v1/incidents/{incident}/picture.png",
        "/api/v1/models/{model}/rebaseline",
        "/api/v1/models/{model}/versions",
        "/api/v1/triggers",
        "/api/v1/triggers/{trigger}",
        "/api/v1/triggers/{trigger}/approve",
        "/api/v1/triggers/{trigger}/status",
        "/api/v1/backup",
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert "application/problem+json" in operation["responses"]["default"]["content"], path
            assert "422" not in operation["responses"], path
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
    assert document["components"]["schemas"]["Verdict"]["properties"]["effect"]["description"]


def test_the_reference_page_lists_every_route_and_loads_nothing() -> None:
    page = client().get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path, operations in got("/openapi.json")["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}</code>" in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "http" not in page.text


def test_a_report_in_half_characters_is_heard() -> None:
    heard: list[object] = []
    app = create_app(drifting, Behind(obey=lambda order: heard.append(order) or "done"))
    body = b'{"state": "failed", "detail": "no file \\ud800"}'
    answer = Client(app).post(
        "/api/v1/triggers/trg_1/status", headers={"content-type": "application/json"}, content=body
    )
    assert answer.status_code == 200
    assert [order.detail for order in heard] == ["no file ?"]
