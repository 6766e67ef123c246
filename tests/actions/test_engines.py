"""Deliveries to engines that hold to their rules, over real connections: one run, whatever is lost on the way."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from monitor.actions.outbox import Attempt
from monitor.actions.pipeline import Pipeline
from monitor.config.presets import PRESETS
from monitor.errors import ConfigError
from monitor.runtime.delivery import Delivery
from monitor.windows.streams import Now
from tests.actions.engines import (
    ENGINES,
    Airflow3,
    CloudEvents,
    Dagster,
    Engine,
    GitHub,
    GitLab,
    Jenkins,
    Kubeflow,
    Reply,
    says,
)
from tests.actions.pipelines import ID, NAME, NOW_MS, golden, message, pipeline
from tests.ports import closed_port
from tests.receivers import Behaviour, Receiver

REPEATS = {GitHub: 2, GitLab: 2}
"""Runs that a lost answer leaves where the engine knows no key: the workflow has to bear it, as PIPELINES.md says."""

RUNS = {
    "airflow2": NAME,
    "airflow3": NAME,
    "argo-workflows": NAME,
    "dagster": "run-1",
    "databricks": "4711",
    "gitlab": "100",
    "jenkins": "/ci/queue/item/1/",
    "kubeflow": "run-1",
    "prefect": f"f{ID}",
}
"""What is kept of the run's name, where the engine gives it one."""


class Bench:
    """One receiver, and a clock that goes on to when the next attempt is due."""

    def __init__(self, receiver: Pipeline) -> None:
        self.now_ms = NOW_MS
        self.delivery = Delivery([receiver], clock=lambda: Now.at(self.now_ms), jitter=lambda: 0.0)
        self.delivery.start()

    def attempts(self, most: int = 10) -> list[Attempt]:
        """Until the message is settled."""
        self.delivery.offer([message()])
        made: list[Attempt] = []
        while len(made) < most and (not made or made[-1].state == "pending"):
            [attempt] = self.delivery.outcomes(60.0)
            made.append(attempt)
            self.now_ms = attempt.due_ms
            self.delivery.offer(())
        self.delivery.close(60.0)
        return made


def to(address: str, preset: str, **settings: Any) -> Pipeline:
    """The receiver of the golden request, at another host."""
    wanted = {**golden(preset)["settings"], **settings}
    parts = urlsplit(wanted["url"])
    return pipeline({**wanted, "url": parts._replace(scheme="http", netloc=urlsplit(address).netloc).geturl()})


def delivered(preset: str, *script: Behaviour, most: int = 10, **settings: Any) -> list[Attempt]:
    with Receiver(*script) as server:
        return Bench(to(server.url, preset, **settings)).attempts(most)


def test_every_preset_has_an_engine() -> None:
    assert [make().preset for make in ENGINES] == list(PRESETS)


@pytest.mark.parametrize("make", ENGINES)
def test_an_engine_begins_one_run_and_its_name_is_kept(make: type[Engine]) -> None:
    engine = make()
    [attempt] = delivered(engine.preset, engine.answers)
    assert (attempt.state, attempt.run) == ("delivered", RUNS.get(engine.preset, ""))
    assert len(engine.runs) == 1


@pytest.mark.parametrize("make", ENGINES)
def test_a_lost_answer_and_a_repeat_are_one_run_where_the_engine_can_tell(make: type[Engine]) -> None:
    engine = make()
    asks_first = engine.preset in ("airflow3", "dagster", "kubeflow")  # For a token, or whether the run exists.
    lost = [engine.answers, engine.loses] if asks_first else [engine.loses]
    first, second = delivered(engine.preset, *lost, engine.answers)
    assert (first.state, second.state) == ("pending", "delivered")
    assert len(engine.runs) == REPEATS.get(make, 1)
    if engine.preset != "gitlab":
        assert second.run == RUNS.get(engine.preset, "")


def test_a_build_that_has_left_the_queue_of_jenkins_is_repeated_with_the_same_parameters() -> None:
    engine = Jenkins(queued=False)
    delivered("jenkins", engine.loses, engine.answers)
    one, other = engine.runs.values()
    assert one == other


def test_of_the_address_of_a_queue_item_only_the_path_is_kept() -> None:
    [attempt] = delivered("jenkins", Jenkins().answers)
    assert "hunter2" not in repr(attempt)


@pytest.mark.parametrize("make", [make for make in ENGINES if make is not CloudEvents])
def test_a_request_is_refused_without_the_right_secret(make: type[Engine]) -> None:
    engine = make()
    with Receiver(engine.answers) as server:
        receiver = to(server.url, engine.preset)
        wrong = pipeline({**golden(engine.preset)["settings"], "url": receiver.url}, "wrong")
        attempts = Bench(wrong).attempts()
    assert [each.state for each in attempts] == ["pending", "pending", "failed"]
    assert engine.runs == {}


@pytest.mark.parametrize("expired", [401, 403])
def test_a_token_is_kept_and_fetched_anew_once_it_has_expired(expired: int) -> None:
    engine = Airflow3(valid=2, expired=expired)
    with Receiver(engine.answers) as server:
        receiver = to(server.url, "airflow3")
        for _ in range(4):
            engine.runs.clear()
            assert [each.state for each in Bench(receiver).attempts()] == ["delivered"]
        paths = [each.target.rpartition("/")[2] for each in server.requests]
    assert paths == ["token", "dagRuns", "dagRuns", "dagRuns", "token", "dagRuns", "dagRuns"]


def test_a_token_of_ones_own_is_not_exchanged() -> None:
    with Receiver(says(Reply(200, {}))) as server:
        settings = {key: value for key, value in golden("airflow3")["settings"].items() if "_file" not in key}
        del settings["user"]
        url = f"http://127.0.0.1:{server.port}"
        [attempt] = Bench(pipeline({**settings, "url": url, "token_file": "t"})).attempts()
    assert [each.headers["authorization"] for each in server.requests] == ["Bearer s3cret"]
    assert attempt.state == "delivered"


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [
        (Reply(201, {}), "failed", "HTTP 201: the answer holds no token."),
        (Reply(201, {"access_token": "a\r\nb"}), "failed", "HTTP 201: the answer holds no token."),
        (Reply(401, {}), "failed", "HTTP 401: the receiver refused the request."),
        (Reply(503), "pending", "HTTP 503."),
    ],
)
def test_without_a_token_nothing_is_asked_for(answer: Reply, state: str, detail: str) -> None:
    with Receiver(says(answer)) as server:
        attempts = Bench(to(server.url, "airflow3")).attempts(most=3)
        assert {urlsplit(each.target).path for each in server.requests} == {"/auth/token"}
    assert attempts[-1].state == state
    assert attempts[-1].detail.startswith(detail)


def test_a_failure_that_says_200_is_no_success() -> None:
    engine = Dagster()
    engine.failing = "RunConfigValidationInvalid"
    refused, begun = delivered("dagster", engine.answers)
    assert (refused.state, refused.status) == ("pending", 200)
    assert refused.detail == "HTTP 200: the engine says that it began no run."
    assert begun.state == "delivered"
    assert len(engine.runs) == 1


@pytest.mark.parametrize(
    ("kind", "states"),
    [("PythonError", ["pending"] * 4), ("PipelineNotFoundError", ["pending", "pending", "failed"])],
)
def test_a_failure_that_may_pass_is_tried_for_longer(kind: str, states: list[str]) -> None:
    looked = {"runsOrError": {"__typename": "Runs", "results": []}}
    both = says(Reply(200, {"data": {"launchRun": {"__typename": kind}, **looked}}))
    assert [each.state for each in delivered("dagster", both, most=4)] == states


@pytest.mark.parametrize(
    "answer", [Reply(500), Reply(404), Reply(200, {"data": {"runsOrError": {"__typename": "PythonError"}}}), Reply(200)]
)
def test_while_it_is_unknown_whether_the_run_exists_none_is_begun(answer: Reply) -> None:
    engine = Dagster()
    with Receiver(engine.answers, engine.loses, says(answer)) as server:
        attempts = Bench(to(server.url, "dagster")).attempts(most=3)
        assert [b"launchRun" in each.body for each in server.requests] == [False, True, False, False]
    assert all(each.state != "delivered" for each in attempts)


@pytest.mark.parametrize("make", [Dagster, Kubeflow])
def test_a_try_that_a_crash_forgot_is_found(make: type[Engine]) -> None:
    engine = make()
    for _ in range(2):  # Two lives: the second does not know that the first one asked.
        [attempt] = delivered(engine.preset, engine.answers)
        assert attempt.state == "delivered"
    assert len(engine.runs) == 1


def test_a_first_try_needs_no_right_to_look() -> None:
    engine = Kubeflow()
    [attempt] = delivered("kubeflow", says(Reply(403)), engine.answers)
    assert (attempt.state, len(engine.runs)) == ("delivered", 1)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_that_is_no_duplicate_is_given_up_after_three(status: int) -> None:
    """Argo answers 409 to more than a name that exists: the code in the answer tells."""
    attempts = delivered("argo-workflows", says(Reply(status, {"code": 10})))
    assert [each.state for each in attempts] == ["pending", "pending", "failed"]


def test_an_engine_that_is_away_is_tried_again() -> None:
    [attempt] = Bench(to(f"http://127.0.0.1:{closed_port()}", "airflow3")).attempts(most=1)
    assert (attempt.state, attempt.detail) == ("pending", "The receiver refused the connection.")


def test_a_token_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        pipeline(golden("github")["settings"], "hunter2\nx-evil: 1")
    assert "hunter2" not in str(caught.value)


def test_what_an_engine_calls_a_run_is_bounded() -> None:
    [attempt] = delivered("prefect", says(Reply(201, {"id": "a\n" * 1000})))
    assert attempt.run == "a" * 100
