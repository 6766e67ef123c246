"""The simulated model server answers with what a pipeline deploys."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from monitor.demo.broker import EmbeddedBroker
from monitor.demo.simulation import Simulation, model_server
from monitor.demo.traffic import DRIFTED, LEARNED, VERSION, Traffic
from tests.exports.client import Client

JSON = {"content-type": "application/json"}


@pytest.fixture
def simulation() -> Simulation:
    with EmbeddedBroker() as broker:
        return Simulation(broker.bootstrap_servers, float("inf"), Traffic(1))


def put(simulation: Simulation, version: str, **deployed: object) -> int:
    content = orjson.dumps({"intercept": 0.0, "weights": {"age": 0.1}} | deployed)
    return Client(model_server(simulation)).put(f"/versions/{version}", headers=JSON, content=content).status_code


def test_a_version_answers_beside_the_others_until_it_is_live(simulation: Simulation) -> None:
    assert put(simulation, "2") == 200
    assert list(simulation.versions) == [VERSION, "2"]
    assert put(simulation, "2", live=True) == 200
    assert list(simulation.versions) == ["2"]
    assert simulation.versions["2"].weights == {"age": 0.1}


def test_what_the_server_could_not_score_with_is_refused(simulation: Simulation) -> None:
    assert put(simulation, "2", weights={"height": 1.0}) == 422
    assert put(simulation, "2", intercept=None) == 422
    assert list(simulation.versions) == [VERSION]


def test_a_version_is_withdrawn_unless_it_is_the_only_one(simulation: Simulation) -> None:
    put(simulation, "2")
    client = Client(model_server(simulation))
    assert client.delete("/versions/2").status_code == 200
    assert client.delete(f"/versions/{VERSION}").status_code == 409
    assert list(simulation.versions) == [VERSION]


def test_the_world_that_has_drifted_is_one_that_retraining_helps_with() -> None:
    """By more than the demo's margin of 0.03: else its loop could not close."""
    drawn = Traffic(3).draw(50_000, drifted=True)
    assert area(LEARNED.score(drawn.features), drawn.default) < 0.7
    assert area(DRIFTED.score(drawn.features), drawn.default) > 0.73


def area(score: np.ndarray, positive: np.ndarray) -> float:
    """Under the ROC curve, by ranks; continuous scores have no ties."""
    rank = np.argsort(np.argsort(score)) + 1
    ones = positive.sum()
    return float((rank[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(score) - ones)))
